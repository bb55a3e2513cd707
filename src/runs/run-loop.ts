import pRetry from 'p-retry'
import { describeError } from '../errors.ts'
import { Chores } from '../sync/chores.ts'
import { untilBeat } from '../sync/pacing.ts'
import { Wakeable } from '../sync/wakeable.ts'
import type { RunContext } from './context.ts'
import { executeRun, isTransient, leave, type RunOutcome } from './execute.ts'
import { type Interruption, RunInterrupted } from './interrupted.ts'
import { heartbeatRuns, takeRun } from './lifecycle.ts'
import { readRun } from './read-runs.ts'
import type { Run } from './types.ts'

const POLL_MS = 1_000

/** At rest, as POLLING_INTERVAL stretches then: each look costs a daemon with nothing to do a fifteenth of what it takes. */
const REST_POLL_MS = 2_000
const REST_AFTER_MS = 10_000

/** Three of them fit into the time after which a run counts as abandoned. */
const HEARTBEAT_MS = 4_000

/**
 * Runs at once in one daemon. Each is one short query now and then; what they are waiting for is the same workers, so more
 * would only fill the queue. More than one, so that a document that is stuck does not hold up the others' runs.
 */
const MOST_AT_ONCE = 4

interface Carried {
  readonly run: Run
  readonly abort: AbortController
  readonly ended: Promise<void>
}

/**
 * Takes runs and executes them, for as long as it is started: the part of a daemon that is about runs. A daemon that
 * shuts down releases its runs with their cursors, and another goes on at once; one that dies leaves them to be
 * taken over when the heartbeat is old.
 */
export class RunLoop {
  readonly #context: RunContext
  readonly #sleep = new Wakeable()
  readonly #carried = new Map<string, Carried>()
  readonly #heartbeat: Chores
  #active = false
  #failing = false
  #poked = false
  #loop: Promise<void> = Promise.resolve()

  constructor(context: RunContext) {
    this.#context = context
    const chore = { name: 'heartbeat of runs', everyMs: HEARTBEAT_MS, run: () => this.#beat() }
    this.#heartbeat = new Chores([chore], (error) => this.#failed(error))
  }

  /** Starts and returns at once. Postgres need not be there yet. */
  start(): void {
    this.#active = true
    this.#loop = Promise.all([this.#heartbeat.start(), this.#poll()]).then(() => undefined)
  }

  /** A run was requested by this process, or one it waited for has ended: look now. */
  poke(): void {
    this.#poked = true
    this.#sleep.wake()
  }

  /**
   * Releases its runs and resolves when they are left: as soon as the statements under way have ended. Whoever
   * cannot wait for those cuts the connections; the runs are then taken over instead.
   */
  async stop(): Promise<void> {
    this.#active = false
    this.#sleep.wake()
    for (const { abort } of this.#carried.values()) abort.abort(new RunInterrupted('released'))
    await this.#loop
    // Once more: one may have been taken while the loop was ending.
    for (const { abort } of this.#carried.values()) abort.abort(new RunInterrupted('released'))
    await Promise.all([...this.#carried.values()].map(({ ended }) => ended))
    await this.#heartbeat.stop()
  }

  async #poll(): Promise<void> {
    let worked = performance.now()
    while (this.#active) {
      this.#poked = false
      const taken = await this.#take()
      const now = performance.now()
      if (taken !== null || this.#poked || this.#carried.size > 0) worked = now
      const everyMs = now - worked < REST_AFTER_MS ? POLL_MS : REST_POLL_MS
      if (taken === null && this.#active && !this.#poked) await this.#sleep.sleep(untilBeat(everyMs, now))
    }
  }

  async #take(): Promise<Run | null> {
    const { pool, schema, instance, plans } = this.#context
    const busy = new Set([...this.#carried.values()].map(({ run }) => run.document))
    const documents = [...plans.keys()].filter((document) => !busy.has(document))
    if (documents.length === 0 || busy.size >= MOST_AT_ONCE) return null
    try {
      const run = await takeRun(pool, schema, instance, documents)
      this.#failing = false
      if (run !== null) this.#carry(run)
      return run
    } catch (error) {
      this.#failed(error)
      return null
    }
  }

  #carry(run: Run): void {
    const abort = new AbortController()
    const { log } = this.#context
    const about = { run: run.id, kind: run.kind, document: run.document }
    log.info({ ...about, resumed: run.cursor !== null }, 'run begins')
    const ended = this.#execute(run, abort.signal)
      .then(async (outcome) => {
        if (outcome !== 'failed') return log.info({ ...about, outcome }, 'run ended')
        const failed = await readRun(this.#context.pool, this.#context.schema, run.id)
        return log.error({ ...about, outcome, reason: failed?.error }, 'run ended')
      })
      .catch((error: unknown) =>
        log.warn({ ...about, reason: describeError(error) }, 'run left for takeover'),
      )
      .finally(() => {
        this.#carried.delete(run.id)
        this.poke()
      })
    this.#carried.set(run.id, { run, abort, ended })
  }

  /** Again and again while a server is away, each time from the cursor as it is stored. */
  async #execute(run: Run, signal: AbortSignal): Promise<RunOutcome> {
    const { pool, schema, log } = this.#context
    let outcome: RunOutcome | undefined
    const attempt = async (number: number): Promise<RunOutcome> => {
      const current = number === 1 ? run : await readRun(pool, schema, run.id)
      if (current === null || current.worker !== run.worker) return 'lost'
      if (current.state !== 'running' && current.state !== 'cancelling') return 'lost'
      outcome = await executeRun(this.#context, current, signal)
      return outcome
    }
    try {
      return await pRetry(attempt, {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 250,
        maxTimeout: 10_000,
        randomize: true,
        signal,
        shouldRetry: ({ error }) => isTransient(error),
        onFailedAttempt: ({ error, attemptNumber }) => {
          if (attemptNumber === 1) log.warn({ run: run.id, reason: describeError(error) }, 'run waits')
        },
      })
    } catch (error) {
      // p-retry throws where the signal is aborted, whatever the attempt came to.
      if (outcome !== undefined) return outcome
      // Aborted between two attempts.
      if (error instanceof RunInterrupted) return leave(this.#context, run, error.interruption)
      throw error
    }
  }

  async #beat(): Promise<void> {
    const { pool, schema, instance, plans } = this.#context
    const carried = [...this.#carried.values()]
    if (carried.length === 0) return
    const ids = carried.map(({ run }) => run.id)
    const states = await heartbeatRuns(pool, schema, instance, ids)
    for (const { run, abort } of carried) {
      const reason = interruption(states.get(run.id), plans.has(run.document))
      if (reason !== null) abort.abort(new RunInterrupted(reason))
    }
  }

  /** Said once for each outage; the daemon says itself that it waits. */
  #failed(error: unknown): void {
    const level = this.#failing || isTransient(error) ? 'debug' : 'error'
    this.#failing = true
    this.#context.log[level]({ reason: describeError(error) }, 'cannot look for runs')
  }
}

function interruption(state: 'running' | 'cancelling' | undefined, workable: boolean): Interruption | null {
  if (state === undefined) return 'lost'
  if (state === 'cancelling') return 'cancelled'
  return workable ? null : 'released'
}
