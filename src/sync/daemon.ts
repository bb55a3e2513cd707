import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import type { DocumentPlan } from '../documents/types.ts'
import { pendingLanes } from '../queue/pending-lanes.ts'
import { Absences } from './absences.ts'
import { awaitElasticsearch } from './await-elasticsearch.ts'
import { batchEnded, type Consequences } from './batch-ended.ts'
import type { BatchStore } from './batch-store.ts'
import { BlockedIndices } from './blocked-indices.ts'
import { BulkGate } from './bulk-gate.ts'
import { Chores } from './chores.ts'
import { type ChoresContext, daemonChores, farewell, heart } from './daemon-chores.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { Dispatcher } from './dispatcher.ts'
import { DocumentPauses } from './document-pauses.ts'
import { draws } from './draw.ts'
import { batchesInFlight } from './in-flight.ts'
import { joinDatabase } from './join-database.ts'
import { obstacleOf } from './obstacle.ts'
import { Poller } from './poller.ts'
import { postgresStore } from './postgres-store.ts'
import { QueueFronts } from './queue-fronts.ts'
import type { DaemonState } from './types.ts'
import { vitalsOf } from './vitals.ts'
import { type IndexWatch, watchIndices } from './watch-indices.ts'
import { runWorker, type Unwritten } from './worker.ts'
import { workerContext } from './worker-context.ts'

/**
 * The daemon: workers that run batches, a poller that finds work for them, chores beside them, and a
 * supervisor that joins the database, leaves it when it goes away and joins it again.
 *
 * States: *waiting* (Postgres or Elasticsearch does not answer, the schema is not there yet) ⇄ *running* →
 * *draining* (stop was asked: no new claim, batches under way are finished) → *stopped*.
 */
export class Daemon {
  readonly #options: DaemonOptions
  readonly #store: BatchStore
  readonly #dispatcher: Dispatcher
  readonly #pauses: DocumentPauses
  readonly #blocked: BlockedIndices
  readonly #poller: Poller
  readonly #fronts = new QueueFronts(() => performance.now())
  readonly #choresContext: ChoresContext
  readonly #consequences: Consequences
  readonly #chores: Chores
  /** Documents it may work on now; replaced entry by entry, for the workers hold the map. */
  readonly #plans = new Map<string, DocumentPlan>()
  readonly #unwritten = new Map<string, Unwritten>()
  readonly #beat: () => Promise<string>
  readonly #watch: IndexWatch
  /** Servers that are away; the gate is open while there is none. */
  readonly #away: Absences
  readonly #stopping = new AbortController()
  readonly #clients = new Set<pg.PoolClient>()
  #server: string | null = null
  #leave: (() => void) | undefined
  /** Pause before Postgres is joined again. */
  #rejoinAfterMs = 0
  #workers: Promise<unknown> = Promise.resolve()
  #supervisor: Promise<void> = Promise.resolve()
  #stopped = false
  /** Since when it has been running, or draining, or stopped; monotonic milliseconds. */
  #since = performance.now()

  constructor(options: DaemonOptions) {
    const { settings, pool } = options
    const { limits, schema } = settings
    this.#options = options
    this.#store = postgresStore(pool, schema)
    const chance = { now: () => performance.now(), random: Math.random }
    const { concurrency, requestTimeout } = limits
    // A trial includes claim, load and request; after two time-outs it is taken for lost.
    const pacing = { ...chance, trialMs: 2 * requestTimeout }
    this.#dispatcher = new Dispatcher({ ...pacing, concurrency })
    this.#pauses = new DocumentPauses({
      ...options,
      schema,
      dispatcher: this.#dispatcher,
      tellState: () => this.#tellState(),
      onError: (error) => this.#failed(error, 'alarm'),
    })
    this.#blocked = new BlockedIndices({
      ...pacing,
      onBlocked: ({ document, index, type, reason }) =>
        options.log.warn({ document, index, type, reason }, 'index takes no writes, its keys are parked'),
      onFree: ({ document, index }) => options.log.info({ document, index }, 'index takes writes again'),
    })
    this.#away = new Absences(chance)
    this.#poller = new Poller({
      pollingInterval: limits.pollingInterval,
      poll: () =>
        this.#fronts
          .look([...this.#plans.keys()], (lanes) => pendingLanes(pool, schema, lanes))
          .finally(() => options.onLook?.(this.state)),
      found: (pending) => {
        this.#dispatcher.found(pending)
        this.#pauses.looked()
      },
      onError: (error) => this.#failed(error, 'poll'),
    })
    this.#consequences = {
      log: options.log,
      dispatcher: this.#dispatcher,
      pauses: this.#pauses,
      served: () => this.#away.served(),
      hurry: () => this.#poller.hurry(),
      goneAway: (server, reason) => this.#goneAway(server, reason),
    }
    this.#choresContext = {
      ...options,
      dispatcher: this.#dispatcher,
      blocked: this.#blocked,
      plans: this.#plans,
      waiting: new Map(),
      unwritten: this.#unwritten,
      state: () => this.state,
      server: () => this.#server,
    }
    this.#beat = heart(this.#choresContext)
    this.#watch = watchIndices(this.#choresContext)
    const chores = daemonChores(this.#choresContext, this.#beat, this.#watch.chores)
    this.#chores = new Chores(chores, (error, chore) => this.#failed(error, chore))
    this.#away.gone('postgres', 'starting')
    options.observer?.begins(() => vitalsOf(this.#choresContext, draws(this.#store)))
    pool.on('connect', (client) => this.#clients.add(client))
    pool.on('remove', (client) => this.#clients.delete(client))
  }

  get state(): DaemonState {
    const forMs = performance.now() - this.#since
    if (this.#stopped) return { state: 'stopped', reason: null, forMs }
    if (this.#stopping.signal.aborted) return { state: 'draining', reason: null, forMs }
    const waiting = this.#away.current
    return waiting === null ? { state: 'running', reason: null, forMs } : { state: 'waiting', ...waiting }
  }

  /** Plans of the documents it may work on now. */
  get plans(): ReadonlyMap<string, DocumentPlan> {
    return this.#plans
  }

  /** Starts everything and returns at once; `finished` tells how it ends. */
  start(): void {
    const context = workerContext(this.#options, {
      store: this.#store,
      dispatcher: this.#dispatcher,
      fronts: this.#fronts,
      blocked: this.#blocked,
      gate: new BulkGate({
        most: () => this.#dispatcher.bulkRequests,
        limit: () => this.#dispatcher.inFlight.limit,
        now: () => performance.now(),
      }),
      plans: this.#plans,
      unwritten: this.#unwritten,
      server: () => this.#server,
      onBatch: (assignment, result) => {
        batchEnded(this.#consequences, assignment, result)
        this.#options.onBatch?.(assignment, result)
        this.#options.observer?.batch(assignment, result)
      },
    })
    const workers = batchesInFlight(context.limits)
    this.#workers = Promise.all(Array.from({ length: workers }, () => runWorker(context)))
    this.#supervisor = this.#supervise()
  }

  /** Resolves when it has stopped; rejects when it cannot go on (a schema newer than this program). */
  get finished(): Promise<void> {
    return this.#supervisor
  }

  /** Marks were written by this process: look for them now. */
  poke(): void {
    this.#poller.hurry()
  }

  /**
   * Stops: no new claim, batches under way are finished, what is left of them after SHUTDOWN_TIMEOUT is
   * given back. Nothing is lost either way.
   */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort()
    this.#since = performance.now()
    this.#dispatcher.stop()
    this.#options.onState?.(this.state)
    this.#leave?.()
    const timeout = this.#options.settings.limits.shutdownTimeout
    const timer = setTimeout(() => this.abort(), timeout)
    await this.#workers
    clearTimeout(timer)
    await this.#supervisor.catch(() => undefined)
  }

  /**
   * Cuts the connections: Postgres rolls the claims back and the marks are there again. Requests to Elasticsearch are
   * given up, too, or a worker would wait for an answer as long as REQUEST_TIMEOUT says.
   */
  abort(): void {
    this.#options.log.warn('batches under way are given back')
    this.#options.elasticsearch.abort()
    for (const client of this.#clients) void client.end()
  }

  async #supervise(): Promise<void> {
    const { log } = this.#options
    try {
      while (!this.#stopping.signal.aborted) {
        const waitingFor = (reason: string) => {
          this.#away.gone('postgres', reason)
          this.#options.onLook?.(this.state)
        }
        const identity = await joinDatabase(this.#options, this.#stopping.signal, waitingFor)
        if (identity === null) break
        this.#server = identity.server
        this.#fronts.forget()
        const left = new Promise<void>((resolve) => {
          this.#leave = resolve
        })
        this.#away.back('postgres')
        await this.#chores.start()
        this.#poller.start()
        this.#openGate()
        await left
        await this.#poller.stop()
        // While draining the heartbeat goes on.
        if (this.#stopping.signal.aborted) break
        await this.#chores.stop()
        await this.#pause(this.#rejoinAfterMs)
      }
    } finally {
      this.#stopping.abort()
      this.#dispatcher.stop()
      await this.#workers
      await this.#chores.stop()
      this.#stopped = true
      this.#since = performance.now()
      this.#options.onState?.(this.state)
      await farewell(this.#choresContext, this.#beat)
      log.info('stopped')
    }
  }

  /** A chore or the poll failed. */
  #failed(error: unknown, what: string): void {
    const { scope, reason } = obstacleOf(error)
    if (scope === 'postgres' || scope === 'elasticsearch') this.#goneAway(scope, reason)
    else this.#options.log.error({ what, reason }, 'failed')
  }

  #goneAway(server: 'postgres' | 'elasticsearch', reason: string): void {
    if (this.#stopping.signal.aborted || this.#away.has(server)) return
    const delayMs = this.#away.gone(server, reason)
    this.#dispatcher.close()
    this.#options.log.warn({ server, reason }, 'waiting')
    this.#tellState()
    if (server === 'postgres') {
      this.#rejoinAfterMs = delayMs
      this.#leave?.()
    } else this.#awaitElasticsearch(reason, delayMs).catch((error: unknown) => this.#failed(error, 'probe'))
  }

  async #awaitElasticsearch(reason: string, delayMs: number): Promise<void> {
    await this.#pause(delayMs)
    const waitingFor = (now: string) => {
      this.#away.gone('elasticsearch', now)
      this.#tellState()
    }
    const { signal } = this.#stopping
    if (!(await awaitElasticsearch({ ...this.#options, reason, waitingFor, signal }))) return
    this.#away.back('elasticsearch')
    await this.#watch.cameBack().catch((error: unknown) => this.#failed(error, 'index identity'))
    this.#openGate()
  }

  #openGate(): void {
    if (!this.#away.none) return
    this.#since = performance.now()
    this.#dispatcher.open()
    this.#tellState()
  }

  /** Now, not with the next heartbeat, which makes up for it where that fails. */
  #tellState(): void {
    this.#options.onState?.(this.state)
    this.#beat().catch(() => undefined)
  }

  #pause(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}
