import { afterAll, beforeAll, describe, it } from 'vitest'
import {
  elasticsearch9Version,
  findJava,
  opensearchVersion,
  type Server,
  startElasticsearch9,
  startOpenSearch,
} from '../support/servers/index.ts'
import { describeClient } from './elasticsearch-contract.ts'

// Both need a newer Java than Elasticsearch 8 does; without it they are skipped, and say so.
const hasJava = (await findJava(21)) !== null
const hasCompiler = (await findJava(21, { compiler: true })) !== null

const others = [
  {
    title: `OpenSearch ${opensearchVersion}`,
    needs: 'a JDK 21 or later',
    can: hasJava,
    start: startOpenSearch,
    product: 'opensearch',
    version: opensearchVersion,
  },
  {
    title: `Elasticsearch ${elasticsearch9Version}`,
    needs: 'a JDK 21 or later with its compiler',
    can: hasCompiler,
    start: startElasticsearch9,
    product: 'elasticsearch',
    version: elasticsearch9Version,
  },
]

for (const { title, needs, can, start, product, version } of others) {
  if (!can) {
    it.skip(`${title} needs ${needs}, and none was found`)
    continue
  }
  describe(`with ${title}`, () => {
    let server: Server
    beforeAll(async () => {
      server = await start({ heap: '512m' })
    }, 300_000)
    afterAll(() => server?.stop())

    describeClient('the client', () => ({ url: server.url, product, version: new RegExp(`^${version}`) }))
  })
}
