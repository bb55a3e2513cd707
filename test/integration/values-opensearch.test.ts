import { afterAll, beforeAll, it } from 'vitest'
import { findJava, opensearchVersion, type Server, startOpenSearch } from '../support/servers/index.ts'
import { describeValues } from './values/contract.ts'

// It needs a newer Java than Elasticsearch 8 does; without it this is skipped, and says so.
if ((await findJava(21)) === null) {
  it.skip(`OpenSearch ${opensearchVersion} needs a JDK 21 or later, and none was found`)
} else {
  let server: Server
  beforeAll(async () => {
    server = await startOpenSearch({ heap: '512m' })
  }, 300_000)
  afterAll(() => server?.stop())

  describeValues(`OpenSearch ${opensearchVersion}`, { url: () => server.url, openSearch: true })
}
