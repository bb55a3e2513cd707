import { afterAll, beforeAll, describe, it } from 'vitest'
import {
  elasticsearch9Version,
  findJava,
  type Server,
  startElasticsearch9,
} from '../support/servers/index.ts'
import { describeClient } from './elasticsearch-contract.ts'

const title = `Elasticsearch ${elasticsearch9Version}`

// It needs a newer Java than Elasticsearch 8 does; without it this is skipped, and says so.
if ((await findJava(21, { compiler: true })) === null) {
  it.skip(`${title} needs a JDK 21 or later with its compiler, and none was found`)
} else {
  describe(`with ${title}`, () => {
    let server: Server
    beforeAll(async () => {
      server = await startElasticsearch9({ heap: '512m', brief: true })
    }, 300_000)
    afterAll(() => server?.stop())

    describeClient('the client', () => ({
      url: server.url,
      product: 'elasticsearch',
      version: new RegExp(`^${elasticsearch9Version}`),
    }))
  })
}
