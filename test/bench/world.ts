import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { builtMain } from '../support/built.ts'
import { deployedEnvironment } from '../support/deployed.ts'
import { fetchFrom } from './address.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { cpuSeconds, treeCpuSeconds } from './process-figures.ts'
import { quiet } from './quiet.ts'
import { type RawDocuments, readDocuments, sendRaw } from './raw-bulk.ts'
import { type BenchServers, type Outside, startServers, useServers } from './servers.ts'
import { rounded } from './statistics.ts'

/** Servers, a configuration, and sluice as its users run it: one world for each cell. */
export interface World extends Omit<BenchServers, 'close'> {
  readonly pool: pg.Pool
  /** Sends a request to Elasticsearch and returns the answer's JSON; throws for a status of 400 and up. */
  search(method: string, path: string, body?: unknown): Promise<unknown>
  /** Runs a command of sluice's; throws with what it said when it fails. */
  sluice(...args: readonly string[]): Promise<void>
  /** So that none comes in what is measured; servers that are not ours have theirs when they want to. */
  checkpoint(): Promise<void>
  /** Removes the document and installs it again, with a new, empty index and no backfill. */
  reinstall(document: string): Promise<void>
  startDaemon(options?: {
    readonly elasticsearchUrl?: string
    readonly env?: NodeJS.ProcessEnv
  }): Promise<Daemon>
  /** Ends daemons and servers and removes their data; of servers that are not ours, what came in. */
  close(): Promise<void>
}

export interface WorldOptions {
  readonly documents: Readonly<Record<string, DocumentDefinition>>
  readonly elasticsearch?: Readonly<Record<string, string>>
}

export interface Where {
  /** Servers that are there; null: servers of its own. */
  readonly outside?: Outside | null
  /** The program; built from this source by default. */
  readonly program?: string
}

export async function openWorld(
  { documents, elasticsearch: settings = {} }: WorldOptions,
  { outside = null, program: other }: Where = {},
): Promise<World> {
  const program = other ?? (await builtMain())
  const servers = await (outside === null ? startServers(settings) : useServers(outside))
  const { postgresUrl, elasticsearchUrl, pids } = servers
  const directory = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  const config = join(directory, 'sluice.config.json')
  await writeFile(config, JSON.stringify({ documents }, null, 2))
  const pool = new pg.Pool({ connectionString: postgresUrl, max: 12 })
  pool.on('error', () => {})
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    DATABASE_URL: postgresUrl,
    ELASTICSEARCH_URL: elasticsearchUrl,
    LOG_LEVEL: 'info',
    NO_COLOR: '1',
  }
  const daemons: Daemon[] = []
  const sluice = async (...args: readonly string[]) => {
    await promisify(execFile)(process.execPath, [program, ...args, '--config', config], {
      cwd: directory,
      env,
    })
  }
  return {
    postgresUrl,
    elasticsearchUrl,
    pids,
    pool,
    search: (method, path, body) => searchRequest(elasticsearchUrl, method, path, body),
    sluice,
    checkpoint: async () => {
      if (outside === null) await pool.query('CHECKPOINT')
    },
    reinstall: async (document) => {
      await sluice('uninstall', document, '--yes')
      await sluice('install', '--no-backfill')
    },
    startDaemon: async (options = {}) => {
      const url = options.elasticsearchUrl ?? elasticsearchUrl
      const daemon = await startDaemon({
        command: [program, 'run', '--config', config],
        cwd: directory,
        env: { ...deployedEnvironment(), ...env, ...options.env, ELASTICSEARCH_URL: url },
        documents: Object.keys(documents).length,
      })
      daemons.push(daemon)
      return daemon
    },
    close: async () => {
      await Promise.all(daemons.map((daemon) => daemon.stop()))
      // Its indices, aliases and templates; a server of its own goes as a whole.
      try {
        if (outside !== null) await sluice('uninstall', '--yes')
      } finally {
        // Not one after the other: a cell that was broken off has connections of the pool.
        await Promise.all([pool.end(), servers.close()])
        await rm(directory, { recursive: true, force: true })
      }
    },
  }
}

async function searchRequest(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetchFrom(url, path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`)
  return JSON.parse(text)
}

/**
 * Measures the ceiling, with Elasticsearch at rest before and after: raw `_bulk` of the documents into a new index like the one
 * behind the alias, which is dropped, and its merges with it. Documents a second.
 */
export async function measureCeiling(world: World, alias: string, documents: RawDocuments): Promise<number> {
  await quiet(world)
  const value = await sendIntoNew(world, alias, documents)
  await quiet(world)
  return value
}

async function sendIntoNew(world: World, alias: string, documents: RawDocuments): Promise<number> {
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

/** A lucky pass says nothing, so at least three; and a busy machine never settles, so at most thirty. */
const PASSES = { least: 3, most: 30 }

/** Fewer are for a try, whose figures say nothing however warm the servers are. */
const WORTH_WARMING = 2_000

/** Enough articles to warm up with, where there are millions. */
export const WARM_VIEW = '(SELECT * FROM sluice.document_article WHERE key_1 <= 100000) AS subset'

/** A cold JVM does a third: sends the documents again and again until that gets no faster. Returns them. */
export async function warmUp(
  world: World,
  { view, alias, note }: { view: string; alias: string; note: (text: string) => void },
): Promise<RawDocuments> {
  const documents = await readDocuments(world.pool, view)
  let best = 0
  let sent = 0
  const most = documents.count < WORTH_WARMING ? PASSES.least : PASSES.most
  for (let pass = 1; pass <= most; pass++) {
    const rate = await sendIntoNew(world, alias, documents)
    sent += documents.count
    note(`warm-up ${pass}: raw bulk of ${documents.count} documents, ${Math.round(rate)} a second`)
    if (pass >= PASSES.least && sent >= WARM_DOCUMENTS && rate < best * 1.03) break
    best = Math.max(best, rate)
  }
  return documents
}

/**
 * Processor time in microseconds a document, by who spent it: says where a figure that falls short was lost. Of servers that
 * are not ours nobody here knows it.
 */
export function costMeter(
  { pids }: World,
  ...daemons: readonly Daemon[]
): (documents: number) => Record<string, number> {
  const look = (): Record<string, number> => ({
    cpu_us_daemon: daemons.reduce((sum, { pid }) => sum + (cpuSeconds(pid) ?? 0), 0),
    ...(pids === null
      ? {}
      : {
          cpu_us_postgres: treeCpuSeconds(pids.postgres),
          cpu_us_elasticsearch: treeCpuSeconds(pids.elasticsearch),
        }),
  })
  const before = look()
  return (documents) =>
    Object.fromEntries(
      Object.entries(look()).map(([name, after]) => [
        name,
        rounded(((after - (before[name] ?? 0)) * 1e6) / documents),
      ]),
    )
}
