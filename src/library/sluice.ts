import type { z } from 'zod'
import { explain } from '../answers/explain.ts'
import type { installJson } from '../answers/json/install.ts'
import { readStatus, type Status } from '../answers/read-status.ts'
import type { SluiceConfig } from '../config/types.ts'
import { FailedError } from '../errors.ts'
import type { Database } from '../postgres/types.ts'
import type { DeadDocument } from '../queue/sync-token.ts'
import { makeSyncToken } from '../queue/sync-token.ts'
import { waitUntilSynced } from '../queue/wait-until-synced.ts'
import type { RunOptions } from '../runs/types.ts'
import { Connections, sourcesOf } from './connections.ts'
import { drain } from './drain.ts'
import { Events, type SluiceEvents } from './events.ts'
import { refreshLive } from './refresh-live.ts'
import { type RunReport, runToTheEnd } from './run-to-the-end.ts'
import { type Started, startDaemon } from './start-daemon.ts'

export interface CreateOptions {
  /**
   * What a configuration file would hold, or the path of one. Default: the `sluice.config.*` of the working directory,
   * if there is one. To wait for writes, `connection.postgres` alone will do.
   */
  readonly config?: SluiceConfig | Omit<SluiceConfig, 'documents'> | string
  /** Variables that beat the configuration, and the `.env` of the working directory under them. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface SyncedOptions {
  /** Milliseconds; default 10,000. */
  readonly timeout?: number
  /** The only document that is waited for; default: all. */
  readonly document?: string
  /** Makes it searchable as well: asks Elasticsearch for a refresh. Default false: `refresh_interval` does it. */
  readonly refresh?: boolean
}

/** What was given up, and is not what the rows say. */
export interface Synced {
  readonly dead: readonly DeadDocument[]
}

export type InstallReport = z.infer<typeof installJson>

/**
 * sluice inside an application. Connects when it has to, and to Elasticsearch only for what needs it. Everything it throws
 * on purpose is a SluiceError. It ends no process, takes no signal and keeps nothing outside of itself.
 */
export interface Sluice {
  /** As `sluice install`. */
  install(options?: { readonly dryRun?: boolean; readonly backfill?: boolean }): Promise<InstallReport>
  /**
   * Starts a daemon in this process, as `sluice run`. Servers that are away are waited for; `state` events tell. With `admin`,
   * HTTP for operators beside it, as `ADMIN_HOST`, `ADMIN_PORT` and `ADMIN_TOKEN` say; default: none, for an application
   * opens no port that nobody has asked for.
   */
  start(options?: { readonly admin?: boolean }): Promise<void>
  /** Finishes the batches under way, gives up every wait and closes all connections. */
  stop(): Promise<void>
  /**
   * Resolves when no run is under way and Elasticsearch has answered for all that was committed then.
   * Throws a TimeoutError after `timeout` milliseconds; default: it waits.
   */
  drain(options?: { readonly timeout?: number }): Promise<Synced>
  /** Indexes the rows that are there anew. Resolves when the run has ended, well or not. */
  backfill(
    document: string,
    options?: Pick<RunOptions, 'since' | 'column' | 'where' | 'tenant'>,
  ): Promise<RunReport>
  verify(document: string, options?: Pick<RunOptions, 'deep' | 'sample' | 'repair'>): Promise<RunReport>
  reindex(document: string, options?: Pick<RunOptions, 'keepMs' | 'rollback'>): Promise<RunReport>
  /** What `sluice status --json` prints. Asks Postgres alone. */
  status(): Promise<Status>
  /** Token for what is committed now. `SELECT sluice.sync_token()` on the application's own connection does the same. */
  token(): Promise<string>
  /**
   * Resolves when Elasticsearch has answered for what the token stands for. Throws a TimeoutError that says what is
   * missing, a UsageError for what is no token, a FailedError for one of another server.
   */
  synced(token: string, options?: SyncedOptions): Promise<Synced>
  /** Returns a function that takes the listener away. */
  on<Name extends keyof SluiceEvents>(name: Name, listener: (event: SluiceEvents[Name]) => void): () => void
}

const SYNCED_TIMEOUT_MS = 10_000

/** Opens nothing yet. Several in one process do not know of each other. */
export function createSluice({ config, env = process.env }: CreateOptions = {}): Sluice {
  const connections = new Connections(sourcesOf(config, env))
  const events = new Events()
  let starting: Promise<Started> | undefined
  let waits = new AbortController()

  /** Errors as users should see them. */
  const told = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw explain(error, await connections.postgres().catch(() => ''))
    }
  }
  const run = (kind: 'backfill' | 'verify' | 'reindex', document: string, options: RunOptions = {}) =>
    told(async () =>
      runToTheEnd(await connections.database(), {
        kind,
        document,
        options,
        requestedBy: (await connections.settings()).instance,
        signal: waits.signal,
        attendedHere: starting !== undefined,
        elasticsearch: () => connections.elasticsearch(),
      }),
    )

  return {
    install: (options = {}) => told(() => install(connections, options)),
    start: ({ admin = false } = {}) =>
      told(async () => {
        starting ??= startDaemon(connections, events, admin)
        const stale = starting
        await stale.catch((error: unknown) => {
          if (starting === stale) starting = undefined
          throw error
        })
      }),
    stop: async () => {
      const instance = starting
      starting = undefined
      waits.abort(new FailedError('stop() was called'))
      waits = new AbortController()
      await instance?.then((started) => started.stop()).catch(() => undefined)
      await connections.close()
    },
    drain: ({ timeout = Number.POSITIVE_INFINITY } = {}) =>
      told(async () => ({
        dead: await drain(await connections.database(), { timeoutMs: timeout, signal: waits.signal }),
      })),
    backfill: (document, options) => run('backfill', document, options),
    verify: (document, options) => run('verify', document, options),
    reindex: (document, options) => run('reindex', document, options),
    status: () => told(async () => readStatus(await connections.database(), await connections.configured())),
    token: () =>
      told(async () => {
        const { pool, schema } = await connections.anyRole()
        return makeSyncToken(pool, schema)
      }),
    synced: (token, options = {}) => told(() => synced(connections, token, options, waits.signal)),
    on: (name, listener) => events.on(name, listener),
  }
}

async function synced(
  connections: Connections,
  token: string,
  { timeout = SYNCED_TIMEOUT_MS, document, refresh = false }: SyncedOptions,
  signal: AbortSignal,
): Promise<Synced> {
  const database: Database = await connections.anyRole()
  const question = { token, document: document ?? null }
  const dead = await waitUntilSynced(database.pool, database.schema, {
    ...question,
    timeoutMs: timeout,
    signal,
  })
  if (refresh) await refreshLive(database, () => connections.elasticsearch(), question.document)
  return { dead }
}

async function install(
  connections: Connections,
  { dryRun = false, backfill = true }: { readonly dryRun?: boolean; readonly backfill?: boolean },
): Promise<InstallReport> {
  const { postgres: url, schema, documents: definitions } = await connections.settings()
  const { install: carryOut } = await import('../capture/install.ts')
  const { schedulesPart } = await import('../runs/install-schedules.ts')
  const pool = await connections.pool()
  const { plan, runs } = await carryOut({
    pool,
    also: schedulesPart(pool, schema, await connections.schedules()),
    url,
    schema,
    definitions,
    elasticsearch: await connections.elasticsearch(),
    backfill,
    dryRun,
    onPlan: () => undefined,
    onWait: () => undefined,
  })
  return {
    dryRun,
    steps: plan.steps.map(({ action, document, what }) => ({ action, document, what })),
    runs: runs.map(({ document, kind, id }) => ({ document, kind, id })),
    notes: [...plan.notes],
    reindexes: [...plan.reindexes],
  }
}
