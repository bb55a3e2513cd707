import { startElasticsearch } from './elasticsearch.ts'
import { startPostgres } from './postgres.ts'
import type { SearchServerOptions } from './search-server.ts'
import type { Server } from './server.ts'

/** One Postgres and one Elasticsearch to work with, ours or the user's. */
export interface Servers {
  readonly postgresUrl: string
  readonly elasticsearchUrl: string
  /** Ends those that were started. */
  stop(): Promise<void>
}

/** DATABASE_URL and ELASTICSEARCH_URL where they are set; what is not is started, both at the same time. */
export async function findOrStartServers(
  env: NodeJS.ProcessEnv = process.env,
  options: Pick<SearchServerOptions, 'brief'> = {},
): Promise<Servers> {
  const started: Server[] = []
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()))
  }
  const urlOf = async (given: string | undefined, start: () => Promise<Server>) => {
    if (given) return given
    const server = await start()
    started.push(server)
    return server.url
  }
  const [postgres, elasticsearch] = await Promise.allSettled([
    urlOf(env.DATABASE_URL, startPostgres),
    urlOf(env.ELASTICSEARCH_URL, () => startElasticsearch(options)),
  ])
  if (postgres.status === 'fulfilled' && elasticsearch.status === 'fulfilled') {
    return { postgresUrl: postgres.value, elasticsearchUrl: elasticsearch.value, stop }
  }
  await stop()
  throw postgres.status === 'rejected'
    ? postgres.reason
    : elasticsearch.status === 'rejected'
      ? elasticsearch.reason
      : null
}
