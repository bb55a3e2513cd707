import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { FailedError } from '../../src/errors.ts'
import { startElasticsearch, startPostgres } from '../support/servers/index.ts'
import { fetchFrom } from './address.ts'

/** What a cell runs against: servers of its own, or a corner of somebody's. */
export interface BenchServers {
  readonly postgresUrl: string
  readonly elasticsearchUrl: string
  /** First processes of the servers; null where they are not ours, and may be on another machine. */
  readonly pids: { readonly postgres: number; readonly elasticsearch: number } | null
  /** Leaves nothing behind; what sluice has made is uninstalled by then. */
  close(): Promise<void>
}

/** URLs of servers that are there. */
export interface Outside {
  readonly postgres: string
  readonly elasticsearch: string
}

/** Checkpoints come by size, and seldom: otherwise some rounds would hold one and some none. fsync stays on. */
const postgresSettings = { shared_buffers: '256MB', max_wal_size: '8GB', checkpoint_timeout: '30min' }

export async function startServers(settings: Readonly<Record<string, string>>): Promise<BenchServers> {
  const [postgres, elasticsearch] = await Promise.all([
    startPostgres({ settings: postgresSettings }),
    startElasticsearch({ settings }),
  ])
  return {
    postgresUrl: postgres.url,
    elasticsearchUrl: elasticsearch.url,
    pids: { postgres: postgres.pid, elasticsearch: elasticsearch.pid },
    close: async () => {
      await Promise.all([postgres.stop(), elasticsearch.stop()])
    },
  }
}

/** The indices of all cells; those of their ceilings are called `raw-` and so. */
const INDICES = '/bench-*,raw-bench-*'

/**
 * A database of its own in that Postgres, and the index names of the cells in that Elasticsearch: FailedError where one of them
 * is taken, for it would be written to, and deleted in the end.
 */
export async function useServers({ postgres, elasticsearch }: Outside): Promise<BenchServers> {
  const taken = await indicesOf(elasticsearch)
  if (taken.length > 0) {
    throw new FailedError(`Elasticsearch has indices of these names: ${taken.join(', ')}`, {
      where: '--elasticsearch',
      remedy: 'Delete them, where a benchmark that was killed has left them; or name another cluster.',
    })
  }
  const name = `sluice_bench_${randomBytes(5).toString('hex')}`
  await administer(postgres, `CREATE DATABASE ${name}`)
  return {
    postgresUrl: Object.assign(new URL(postgres), { pathname: `/${name}` }).href,
    elasticsearchUrl: elasticsearch,
    pids: null,
    close: async () => {
      await administer(postgres, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      // By name: many clusters refuse to delete by a pattern. There is one where a cell ended in the midst of a ceiling.
      for (const index of await indicesOf(elasticsearch)) {
        await fetchFrom(elasticsearch, `/${index}`, { method: 'DELETE' })
      }
    },
  }
}

async function indicesOf(elasticsearch: string): Promise<readonly string[]> {
  const answer = await fetchFrom(elasticsearch, `${INDICES}/_alias?expand_wildcards=all`)
  const found = (await answer.json()) as object
  if (!answer.ok)
    throw new FailedError(`${answer.status} ${JSON.stringify(found)}`, { where: '--elasticsearch' })
  return Object.keys(found)
}

async function administer(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server, application_name: 'bench' })
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
