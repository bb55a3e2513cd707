import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import type { ServerInfo } from '../../src/elasticsearch/types.ts'
import { describeError, SluiceError } from '../../src/errors.ts'
import { findOrStartServers, type Servers } from './servers/index.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string
    /** Major version. */
    postgresVersion: number
    elasticsearchUrl: string
    /** What answers there: the matrix names others than Elasticsearch. */
    searchProduct: ServerInfo['product']
  }
}

/** Projects of one run share them, and each has its own copy of this module: the process is what they have in common. */
const run = globalThis as typeof globalThis & {
  sluiceServers?: { readonly found: Promise<Servers>; users: number }
}

/** One Postgres and one Elasticsearch for the whole run; each test file makes its own database and index prefix. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  run.sluiceServers ??= { found: findOrStartServers(process.env, { brief: true }), users: 0 }
  const shared = run.sluiceServers
  shared.users += 1
  const servers = await shared.found.catch((error: unknown) => {
    // vitest prints the message, and the remedy belongs to it; the stack is no use to who lacks Java.
    throw error instanceof SluiceError ? Object.assign(new Error(describeError(error)), { stack: '' }) : error
  })
  project.provide('postgresUrl', servers.postgresUrl)
  project.provide('postgresVersion', await postgresVersion(servers.postgresUrl))
  project.provide('elasticsearchUrl', servers.elasticsearchUrl)
  project.provide('searchProduct', await productAt(servers.elasticsearchUrl))
  return async () => {
    shared.users -= 1
    if (shared.users > 0) return
    delete run.sluiceServers
    await servers.stop()
  }
}

async function postgresVersion(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ n: number }>(
      "SELECT current_setting('server_version_num')::int / 10000 AS n",
    )
    return rows[0]?.n ?? 0
  } finally {
    await client.end()
  }
}

async function productAt(url: string): Promise<ServerInfo['product']> {
  const client = connectElasticsearch({ url }, { requestTimeoutMs: 30_000 })
  try {
    return (await client.info()).product
  } finally {
    await client.close()
  }
}
