import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { startElasticsearch, startPostgres } from '../support/servers/index.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { cpuSeconds, treeCpuSeconds } from './process-figures.ts'
import { type RawDocuments, readDocuments, sendRaw } from './raw-bulk.ts'
import { rounded } from './statistics.ts'

/** Servers of its own, a configuration, and sluice as its users run it: one world for each cell. */
export interface World {
  readonly postgresUrl: string
  readonly elasticsearchUrl: string
  /** First processes of the servers. */
  readonly pids: { readonly postgres: number; readonly elasticsearch: number }
  readonly pool: pg.Pool
  /** Sends a request to Elasticsearch and returns the answer's JSON; throws for a status of 400 and up. */
  search(method: string, path: string, body?: unknown): Promise<unknown>
  /** Runs a command of sluice's; throws with what it said when it fails. */
  sluice(...args: readonly string[]): Promise<void>
  /** Removes the document and installs it again, with a new, empty index and no backfill. */
  reinstall(document: string): Promise<void>
  startDaemon(options?: {
    readonly elasticsearchUrl?: string
    readonly env?: NodeJS.ProcessEnv
  }): Promise<Daemon>
  /** Ends daemons and servers and removes their data. */
  close(): Promise<void>
}

export interface WorldOptions {
  readonly documents: Readonly<Record<string, DocumentDefinition>>
  readonly elasticsearch?: Readonly<Record<string, string>>
}

/** Checkpoints come by size, and seldom: otherwise some rounds would hold one and some none. fsync stays on. */
const postgresSettings = { shared_buffers: '256MB', max_wal_size: '8GB', checkpoint_timeout: '30min' }

const PROJECT = join(import.meta.dirname, '../..')

/** What users install: run from its TypeScript, every process takes 30 MB more, and twice as long to start. */
const MAIN = join(PROJECT, 'dist/cli/main.js')

async function build(): Promise<void> {
  const compiler = join(PROJECT, 'node_modules/typescript/bin/tsc')
  await promisify(execFile)(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: PROJECT })
  await cp(join(PROJECT, 'src/admin/dashboard'), join(PROJECT, 'dist/admin/dashboard'), { recursive: true })
}

export async function openWorld({ documents, elasticsearch: settings = {} }: WorldOptions): Promise<World> {
  await build()
  const [postgres, elasticsearch] = await Promise.all([
    startPostgres({ settings: postgresSettings }),
    startElasticsearch({ settings }),
  ])
  const directory = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  const config = join(directory, 'sluice.config.json')
  await writeFile(config, JSON.stringify({ documents }, null, 2))
  const pool = new pg.Pool({ connectionString: postgres.url, max: 12 })
  pool.on('error', () => {})
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    DATABASE_URL: postgres.url,
    ELASTICSEARCH_URL: elasticsearch.url,
    LOG_LEVEL: 'info',
    NO_COLOR: '1',
  }
  const daemons: Daemon[] = []
  const sluice = async (...args: readonly string[]) => {
    await promisify(execFile)(process.execPath, [MAIN, ...args, '--config', config], { cwd: directory, env })
  }
  return {
    postgresUrl: postgres.url,
    elasticsearchUrl: elasticsearch.url,
    pids: { postgres: postgres.pid, elasticsearch: elasticsearch.pid },
    pool,
    search: (method, path, body) => searchRequest(elasticsearch.url, method, path, body),
    sluice,
    reinstall: async (document) => {
      await sluice('uninstall', document, '--yes')
      await sluice('install', '--no-backfill')
    },
    startDaemon: async (options = {}) => {
      const url = options.elasticsearchUrl ?? elasticsearch.url
      const daemon = await startDaemon({
        command: [MAIN, 'run', '--config', config],
        cwd: directory,
        env: { ...env, ...options.env, ELASTICSEARCH_URL: url },
        documents: Object.keys(documents).length,
      })
      daemons.push(daemon)
      return daemon
    },
    close: async () => {
      await Promise.all(daemons.map((daemon) => daemon.stop()))
      await pool.end()
      await Promise.all([postgres.stop(), elasticsearch.stop()])
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function searchRequest(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(new URL(path, url), {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`)
  return JSON.parse(text)
}

/** Measures the ceiling: raw `_bulk` of the documents into a new index like the one behind the alias, which is dropped. */
export async function measureCeiling(world: World, alias: string, documents: RawDocuments): Promise<number> {
  const index = `raw-${alias}`
  const found = (await world.search('GET', `/${alias}`)) as Readonly<
    Record<string, { mappings: unknown; settings: { index: Record<string, unknown> } }>
  >
  const [like] = Object.values(found)
  const { gc_deletes, number_of_shards, number_of_replicas } = like?.settings.index ?? {}
  await world.search('PUT', `/${index}`, {
    mappings: like?.mappings,
    settings: { index: { gc_deletes, number_of_shards, number_of_replicas } },
  })
  try {
    return await sendRaw(world.elasticsearchUrl, index, documents)
  } finally {
    await world.search('DELETE', `/${index}`)
  }
}

/** By then the JIT compiler of Elasticsearch has seen everything often enough. */
const WARM_DOCUMENTS = 300_000

/** A cold JVM does a third: sends the documents again and again until that gets no faster. Returns them. */
export async function warmUp(
  world: World,
  { view, alias, note }: { view: string; alias: string; note: (text: string) => void },
): Promise<RawDocuments> {
  const documents = await readDocuments(world.pool, view)
  let best = 0
  let sent = 0
  // A lucky pass says nothing, so at least three; and a busy machine never settles, so at most thirty.
  for (let pass = 1; pass <= 30; pass++) {
    const rate = await measureCeiling(world, alias, documents)
    sent += documents.count
    note(`warm-up ${pass}: raw bulk of ${documents.count} documents, ${Math.round(rate)} a second`)
    if (pass >= 3 && sent >= WARM_DOCUMENTS && rate < best * 1.03) break
    best = Math.max(best, rate)
  }
  return documents
}

/** Processor time in microseconds a document, by who spent it: says where a figure that falls short was lost. */
export function costMeter(world: World, daemon: Daemon): (documents: number) => Record<string, number> {
  const look = () => ({
    cpu_us_daemon: cpuSeconds(daemon.pid) ?? 0,
    cpu_us_postgres: treeCpuSeconds(world.pids.postgres),
    cpu_us_elasticsearch: treeCpuSeconds(world.pids.elasticsearch),
  })
  const before = look()
  return (documents) => {
    const after = look()
    const each = (name: keyof typeof before) => rounded(((after[name] - before[name]) * 1e6) / documents)
    return {
      cpu_us_daemon: each('cpu_us_daemon'),
      cpu_us_postgres: each('cpu_us_postgres'),
      cpu_us_elasticsearch: each('cpu_us_elasticsearch'),
    }
  }
}
