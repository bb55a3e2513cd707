import type pg from 'pg'
import type { Limits } from '../config/types.ts'
import { connectElasticsearch, type Elasticsearch } from '../elasticsearch/client.ts'
import { createPool } from '../postgres/connect.ts'
import { Daemon } from '../sync/daemon.ts'
import type { DaemonOptions } from '../sync/daemon-options.ts'
import { batchesInFlight } from '../sync/in-flight.ts'
import { RunLoop } from './run-loop.ts'
import { Schedules } from './schedules.ts'

type InstanceOptions = Omit<DaemonOptions, 'pool' | 'elasticsearch'>

/** Two connections for each batch in flight (claim, work), and a few for polling, chores and runs. */
const OTHER_CONNECTIONS = 4

/** What an instance opens at most, without what its admin HTTP takes. */
export function daemonConnections(limits: Limits): number {
  return 2 * batchesInFlight(limits) + OTHER_CONNECTIONS
}

/**
 * One instance of sluice: the daemon and the runs it carries, on connections of its own. What `sluice run`
 * starts, and what a command that has to do the work itself starts for a while.
 */
export class Instance {
  readonly daemon: Daemon
  readonly #runs: RunLoop
  readonly #schedules: Schedules
  readonly #pool: pg.Pool
  readonly #elasticsearch: Elasticsearch
  #stopping: Promise<void> | undefined

  constructor({ settings, log, ...options }: InstanceOptions) {
    const { limits, instance, schema } = settings
    const max = daemonConnections(limits)
    this.#pool = createPool(settings.postgres, { max, applicationName: `sluice ${instance}` })
    this.#elasticsearch = connectElasticsearch(settings.elasticsearch, {
      requestTimeoutMs: limits.requestTimeout,
    })
    const shared = { pool: this.#pool, elasticsearch: this.#elasticsearch, log }
    this.daemon = new Daemon({ settings, ...shared, ...options })
    this.#runs = new RunLoop({
      ...shared,
      schema,
      instance,
      plans: this.daemon.plans,
      definitions: settings.documents,
      onWaiting: () => this.daemon.poke(),
    })
    this.#schedules = new Schedules({
      ...shared,
      schema,
      instance,
      schedules: options.schedules ?? new Map(),
      ready: () => this.daemon.state.state === 'running',
    })
  }

  /** Its connection, which shows the credential that the daemon shows. Closed by `stop`. */
  get elasticsearch(): Elasticsearch {
    return this.#elasticsearch
  }

  start(): void {
    this.daemon.start()
    this.#runs.start()
    this.#schedules.start()
  }

  /** Resolves when it has stopped; rejects when it cannot go on (a schema newer than this program). */
  get finished(): Promise<void> {
    return this.daemon.finished
  }

  /** Finishes the batches under way (within SHUTDOWN_TIMEOUT), releases its runs and closes its connections. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** Stops at once: connections are cut, and Postgres puts the marks of unfinished batches back. */
  abort(): void {
    this.daemon.abort()
  }

  async #stop(): Promise<void> {
    await Promise.all([this.#schedules.stop(), this.#runs.stop(), this.daemon.stop()])
    await Promise.all([this.#pool.end(), this.#elasticsearch.close()])
  }
}
