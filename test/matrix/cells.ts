import {
  findJava,
  startElasticsearch,
  startElasticsearch9,
  startOpenSearch,
  startPostgres,
} from '../support/servers/index.ts'
import { findPgBouncer } from '../support/servers/pgbouncer.ts'
import type { SearchServerOptions } from '../support/servers/search-server.ts'
import type { Server } from '../support/servers/server.ts'

/** One combination of servers, and what is run against it. */
export interface MatrixCell {
  readonly name: string
  readonly postgres: () => Promise<Server>
  readonly search: () => Promise<Server>
  /** Test files; null: all that use the servers they are given. */
  readonly files: readonly string[] | null
  /** Why it cannot run on this machine; null where it can. */
  readonly missing: () => Promise<string | null>
}

const POSTGRES = [15, 16, 17, 18]

interface SearchServer {
  readonly start: (options: SearchServerOptions) => Promise<Server>
  /** Oldest Java that it starts on, and whether a compiler is needed, too. */
  readonly java: { readonly version: number; readonly compiler?: boolean }
}

const SEARCH: Readonly<Record<string, SearchServer>> = {
  'elasticsearch-8': { start: startElasticsearch, java: { version: 17 } },
  'elasticsearch-9': { start: startElasticsearch9, java: { version: 21, compiler: true } },
  'opensearch-3': { start: startOpenSearch, java: { version: 21 } },
}

/** Every Postgres with every search server, and PgBouncer in transaction mode with the tests that go through it. */
export const matrixCells: readonly MatrixCell[] = [
  ...POSTGRES.flatMap((version) =>
    Object.entries(SEARCH).map(
      ([search, { start, java }]): MatrixCell => ({
        name: `postgres-${version}/${search}`,
        postgres: () => startPostgres({ version }),
        search: () => start({ brief: true }),
        files: null,
        missing: () => missingJava(java),
      }),
    ),
  ),
  {
    name: 'pgbouncer/postgres-18/elasticsearch-8',
    postgres: startPostgres,
    search: () => startElasticsearch({ brief: true }),
    files: ['test/integration/pgbouncer.test.ts'],
    missing: async () =>
      findPgBouncer() === null ? 'pgbouncer is not installed (Debian package)' : missingJava({ version: 17 }),
  },
]

async function missingJava({ version, compiler = false }: SearchServer['java']): Promise<string | null> {
  if ((await findJava(version, { compiler })) !== null) return null
  return `no ${compiler ? 'JDK' : 'Java'} ${version} or later was found`
}
