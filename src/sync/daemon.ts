import type pg from 'pg'
import type { Logger } from 'pino'
import type { Settings } from '../config/types.ts'
import { definitionHash } from '../documents/hash.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { pendingLanes } from '../queue/pending-lanes.ts'
import { clearAlarm, setAlarm } from '../queue/set-alarm.ts'
import { awaitElasticsearch } from './await-elasticsearch.ts'
import { BlockedIndices } from './blocked-indices.ts'
import { DEFAULT_SHARE } from './brake.ts'
import { Chores } from './chores.ts'
import { isSuspicious } from './confidence.ts'
import { beat, type ChoresContext, daemonChores, writeOutstanding } from './daemon-chores.ts'
import type { Assignment } from './dispatcher.ts'
import { Dispatcher } from './dispatcher.ts'
import { indexSizes } from './index-sizes.ts'
import { joinDatabase } from './join-database.ts'
import { alarmOf, obstacleOf } from './obstacle.ts'
import { Poller } from './poller.ts'
import type { BatchResult, Obstacle } from './types.ts'
import { runWorker, type Unwritten } from './worker.ts'

export interface DaemonOptions {
  readonly settings: Settings
  readonly pool: pg.Pool
  readonly elasticsearch: Elasticsearch
  readonly log: Logger
  /** Told of every batch that was more than an empty claim. */
  readonly onBatch?: (assignment: Assignment, result: BatchResult) => void
}

/** What a daemon is doing; `reason` says what it waits for. */
export interface DaemonState {
  readonly state: 'running' | 'waiting' | 'draining' | 'stopped'
  readonly reason: string | null
}

/**
 * The daemon: workers that run batches, a poller that finds work for them, chores beside them, and a
 * supervisor that joins the database, leaves it when it goes away and joins it again.
 *
 * States: *waiting* (Postgres or Elasticsearch does not answer, the schema is not there yet) ⇄ *running* →
 * *draining* (stop was asked: no new claim, batches under way are finished) → *stopped*.
 */
export class Daemon {
  readonly #options: DaemonOptions
  readonly #dispatcher: Dispatcher
  readonly #blocked: BlockedIndices
  readonly #poller: Poller
  readonly #choresContext: ChoresContext
  readonly #chores: Chores
  /** Documents it may work on now; replaced entry by entry, for the workers hold the map. */
  readonly #plans = new Map<string, DocumentPlan>()
  readonly #unwritten = new Map<string, Unwritten>()
  /** Servers that are away, and why; the gate is open while there is none. */
  readonly #away = new Map<'postgres' | 'elasticsearch', string>()
  readonly #stopping = new AbortController()
  readonly #clients = new Set<pg.PoolClient>()
  #timeline: string | null = null
  #leave: (() => void) | undefined
  #workers: Promise<unknown> = Promise.resolve()
  #supervisor: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: DaemonOptions) {
    const { settings, pool } = options
    const { limits, schema } = settings
    this.#options = options
    // A trial includes claim, load and request; after two time-outs it is taken for lost.
    const trialMs = 2 * limits.requestTimeout
    const pacing = { now: () => performance.now(), random: Math.random, trialMs }
    this.#dispatcher = new Dispatcher({ ...pacing, concurrency: limits.concurrency })
    this.#blocked = new BlockedIndices({
      ...pacing,
      onBlocked: (blocked) => options.log.warn(blocked, 'index takes no writes, its keys are parked'),
      onFree: ({ document, index }) => options.log.info({ document, index }, 'index takes writes again'),
    })
    this.#poller = new Poller({
      pollingInterval: limits.pollingInterval,
      poll: () => pendingLanes(pool, schema, [...this.#plans.keys()]),
      found: (pending) => this.#dispatcher.found(pending),
      onError: (error) => this.#failed(error, 'poll'),
    })
    this.#choresContext = {
      ...options,
      dispatcher: this.#dispatcher,
      blocked: this.#blocked,
      plans: this.#plans,
      waiting: new Map(),
      unwritten: this.#unwritten,
      state: () => this.state,
    }
    this.#chores = new Chores(daemonChores(this.#choresContext), (error, chore) => this.#failed(error, chore))
    this.#away.set('postgres', 'starting')
    pool.on('connect', (client) => this.#clients.add(client))
    pool.on('remove', (client) => this.#clients.delete(client))
  }

  get state(): DaemonState {
    if (this.#stopped) return { state: 'stopped', reason: null }
    if (this.#stopping.signal.aborted) return { state: 'draining', reason: null }
    const [reason] = this.#away.values()
    return reason === undefined ? { state: 'running', reason: null } : { state: 'waiting', reason }
  }

  /** Plans of the documents it may work on now. */
  get plans(): ReadonlyMap<string, DocumentPlan> {
    return this.#plans
  }

  /** Starts everything and returns at once; `finished` tells how it ends. */
  start(): void {
    const { settings, pool, elasticsearch } = this.#options
    const context = {
      schema: settings.schema,
      instance: settings.instance,
      limits: settings.limits,
      pool,
      elasticsearch,
      brake: {
        share: (document: string) => settings.documents.get(document)?.brake?.deletes ?? DEFAULT_SHARE,
        size: indexSizes(
          (index) => elasticsearch.count(index),
          () => performance.now(),
        ),
      },
      dispatcher: this.#dispatcher,
      blocked: this.#blocked,
      plans: this.#plans,
      unwritten: this.#unwritten,
      confidences: new Map(),
      hashes: new Map(
        [...settings.documents].map(([name, definition]) => [name, definitionHash(definition)]),
      ),
      timeline: () => this.#timeline,
      onBatch: (assignment: Assignment, result: BatchResult) => this.#batchEnded(assignment, result),
    }
    this.#workers = Promise.all(Array.from({ length: settings.limits.concurrency }, () => runWorker(context)))
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
    this.#dispatcher.stop()
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
        const waitingFor = (reason: string) => this.#away.set('postgres', reason)
        const identity = await joinDatabase(this.#options, this.#stopping.signal, waitingFor)
        if (identity === null) break
        this.#timeline = identity.timeline
        const left = new Promise<void>((resolve) => {
          this.#leave = resolve
        })
        this.#away.delete('postgres')
        await this.#chores.start()
        this.#poller.start()
        this.#openGate()
        await left
        await this.#poller.stop()
        // While draining the heartbeat goes on.
        if (!this.#stopping.signal.aborted) await this.#chores.stop()
      }
    } finally {
      this.#stopping.abort()
      this.#dispatcher.stop()
      await this.#workers
      await this.#chores.stop()
      this.#stopped = true
      await this.#farewell()
      log.info('stopped')
    }
  }

  /** Last words: outcomes the log does not have yet, and a heartbeat that says stopped. */
  async #farewell(): Promise<void> {
    try {
      await writeOutstanding(this.#choresContext)
      await beat(this.#choresContext)
    } catch (error) {
      this.#options.log.warn({ reason: obstacleOf(error).reason }, 'could not say goodbye to the database')
    }
  }

  #batchEnded(assignment: Assignment, result: BatchResult): void {
    const { document } = assignment
    switch (result.outcome) {
      case 'settled':
        if (result.tripped !== null)
          this.#options.log.error({ document, reason: result.tripped }, 'deletes are held back')
        // A trial says nothing of the document's other indices.
        if (result.obstacle === null && assignment.target === undefined) this.#recovered(document)
        else if (result.obstacle !== null) this.#obstructed(document, result.obstacle)
        this.#poller.hurry()
        break
      case 'given-back':
        this.#obstructed(document, result.obstacle)
        break
      case 'empty':
    }
    this.#options.onBatch?.(assignment, result)
  }

  #recovered(document: string): void {
    const ended = this.#dispatcher.recovered(document)
    if (ended === undefined) return
    const { pool, settings, log } = this.#options
    log.info({ document }, 'goes on')
    const alarm = alarmOf({ scope: 'document', ...ended })
    if (alarm !== null) this.#tell(clearAlarm(pool, settings.schema, document, alarm))
  }

  #obstructed(document: string, obstacle: Obstacle): void {
    const { pool, settings, log } = this.#options
    const { type, reason } = obstacle
    if (obstacle.scope === 'index') return
    this.#dispatcher.obstructed(obstacle)
    if (obstacle.scope === 'document') {
      const pause = this.#dispatcher.pause(document, obstacle)
      const alarm = alarmOf(obstacle)
      const what = { document, type, reason, attempt: pause.attempt }
      log[alarm === null ? 'warn' : 'error'](what, 'document paused, its marks are given back')
      if (alarm !== null) this.#tell(setAlarm(pool, settings.schema, document, alarm))
      return
    }
    // The document waits as well: a server that answers probes and not this document's batches must not be hammered.
    if (isSuspicious(obstacle)) this.#dispatcher.pause(document, obstacle)
    this.#goneAway(obstacle.scope, reason)
  }

  #tell(told: Promise<void>): void {
    told.catch((error: unknown) => this.#failed(error, 'alarm'))
  }

  /** A chore or the poll failed. */
  #failed(error: unknown, what: string): void {
    const { scope, reason } = obstacleOf(error)
    if (scope === 'postgres' || scope === 'elasticsearch') this.#goneAway(scope, reason)
    else this.#options.log.error({ what, reason }, 'failed')
  }

  #goneAway(server: 'postgres' | 'elasticsearch', reason: string): void {
    if (this.#stopping.signal.aborted || this.#away.has(server)) return
    this.#away.set(server, reason)
    this.#dispatcher.close()
    this.#options.log.warn({ server, reason }, 'waiting')
    if (server === 'postgres') this.#leave?.()
    else this.#awaitElasticsearch(reason).catch((error: unknown) => this.#failed(error, 'probe'))
  }

  async #awaitElasticsearch(reason: string): Promise<void> {
    const waitingFor = (now: string) => this.#away.set('elasticsearch', now)
    const { signal } = this.#stopping
    if (!(await awaitElasticsearch({ ...this.#options, reason, waitingFor, signal }))) return
    this.#away.delete('elasticsearch')
    this.#openGate()
  }

  #openGate(): void {
    if (this.#away.size === 0) this.#dispatcher.open()
  }
}
