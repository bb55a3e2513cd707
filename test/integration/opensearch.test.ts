import { afterAll, beforeAll, describe, it } from 'vitest'
import { findJava, opensearchVersion, type Server, startOpenSearch } from '../support/servers/index.ts'
import { describeClient } from './elasticsearch-contract.ts'
import { describeValues } from './values/contract.ts'

const title = `OpenSearch ${opensearchVersion}`

// It needs a newer Java than Elasticsearch 8 does; without it this is skipped, and says so.
if ((await findJava(21)) === null) {
  it.skip(`${title} needs a JDK 21 or later, and none was found`)
} else {
  describe(`with ${title}`, () => {
    let server: Server
    beforeAll(async () => {
      server = await startOpenSearch({ heap: '512m', brief: true })
    }, 300_000)
    afterAll(() => server?.stop())

    describeClient('the client', () => ({
      url: server.url,
      product: 'opensearch',
      version: new RegExp(`^${opensearchVersion}`),
    }))

    describeValues(title, { url: () => server.url, openSearch: true })
  })
}
