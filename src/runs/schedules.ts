import { escapeIdentifier, type Pool } from 'pg'
import type { Logger } from 'pino'
import type { ScheduleDefinition } from '../config/types.ts'
import { scheduleHash } from '../documents/hash.ts'
import { describeError } from '../errors.ts'
import type { Queryable } from '../postgres/types.ts'
import { Chores } from '../sync/chores.ts'
import { isTransient } from './execute.ts'
import { type Firing, fireSchedule, nextDue, type StandingSchedule } from './fire-schedule.ts'

interface SchedulesContext {
  readonly pool: Pool
  readonly schema: string
  readonly instance: string
  readonly log: Logger
  /** Those of the configuration. */
  readonly schedules: ReadonlyMap<string, ScheduleDefinition>
  /** Whether runs can be carried out now: both servers are there. What comes due meanwhile is fired once, late. */
  readonly ready: () => boolean
}

/** How late a schedule may be, and how much it costs: a comparison of two numbers. */
const EVERY_MS = 1_000

/** The database is asked at least so often: for what was installed, and for a clock that was set. */
const LOOK_MS = 30_000

/** Later than this is worth a warning: no daemon was there. */
const LATE_MS = 60_000

/**
 * Fires the schedules of a daemon's configuration, as far as they are the installed ones; `install` writes the rows.
 * Every instance does; that each firing is one over all of them is the work of `fireSchedule`. At rest it asks the
 * database every 30 seconds, and knows from then on, by its own monotonic clock, how long it is until the next one:
 * whether it is due says the database (invariant 14).
 */
export class Schedules {
  readonly #context: SchedulesContext
  readonly #chores: Chores
  /** Why a schedule is not fired here, as it was logged. */
  readonly #resting = new Map<string, string>()
  /** When to ask the database; milliseconds of the monotonic clock. */
  #lookAt = 0
  #failing = false
  #started: Promise<void> = Promise.resolve()

  constructor(context: SchedulesContext) {
    this.#context = context
    const chore = { name: 'schedules', everyMs: EVERY_MS, run: () => this.#tick() }
    this.#chores = new Chores([chore], () => undefined)
  }

  /** Starts and returns at once. Postgres need not be there yet. */
  start(): void {
    if (this.#context.schedules.size > 0) this.#started = this.#chores.start()
  }

  /** Resolves when a firing under way has ended. */
  async stop(): Promise<void> {
    await this.#started
    await this.#chores.stop()
  }

  async #tick(): Promise<void> {
    if (performance.now() < this.#lookAt || !this.#context.ready()) return
    try {
      this.#lookAt = performance.now() + Math.min(await this.look(), LOOK_MS)
      this.#failing = false
    } catch (error) {
      // Again with the next tick. Said once for each outage; the daemon says itself that it waits.
      const level = this.#failing || isTransient(error) ? 'debug' : 'error'
      this.#failing = true
      this.#context.log[level]({ reason: describeError(error) }, 'cannot look at schedules')
    }
  }

  /** Fires what is due. Returns the milliseconds until the next one is; Infinity where there is none. */
  async look(): Promise<number> {
    const { pool, schema, schedules } = this.#context
    const installed = await readStanding(pool, schema, [...schedules.keys()])
    let soonest = Number.POSITIVE_INFINITY
    for (const [name, definition] of schedules) {
      const row = installed.get(name)
      if (row === undefined) this.#rests(name, 'warn', 'it is not installed: run sluice install')
      else if (row.hash !== scheduleHash(definition)) {
        this.#rests(name, 'warn', 'its definition differs from the installed one: run sluice install')
      } else {
        const next = await this.#see(row, definition)
        if (next !== null) soonest = Math.min(soonest, next.getTime() - row.now.getTime())
      }
    }
    return Math.max(soonest, 0)
  }

  /** Fires it when it is due. Returns when it is next; null when that failed: it holds up no other. */
  async #see(row: StandingSchedule, definition: ScheduleDefinition): Promise<Date | null> {
    try {
      const next = row.due ? await this.#fire(row, definition) : await this.#await(row, definition)
      this.#resting.delete(row.name)
      return next
    } catch (error) {
      if (isTransient(error)) throw error
      this.#rests(row.name, 'error', describeError(error))
      return null
    }
  }

  async #fire(row: StandingSchedule, definition: ScheduleDefinition): Promise<Date> {
    const firing = await fireSchedule(this.#context, row, definition)
    // Another instance was faster: what it has written is read with the next tick.
    if (firing === null) return row.now
    this.#tell(row.name, definition, firing)
    return new Date(firing.nextAt)
  }

  /**
   * A time later than the next one by the present clock was computed while that was ahead: it is taken back, or the
   * schedule would rest until then.
   */
  async #await(row: StandingSchedule, definition: ScheduleDefinition): Promise<Date> {
    const { pool, schema, log } = this.#context
    const next = nextDue(row, definition)
    if (next >= new Date(row.nextAt)) return new Date(row.nextAt)
    const { rowCount } = await pool.query(
      `UPDATE ${escapeIdentifier(schema)}.sync_schedule SET next_at = $3 WHERE name = $1 AND next_at = $2`,
      [row.name, row.nextAt, next.toISOString()],
    )
    if (rowCount === 1)
      log.warn({ schedule: row.name, was: row.nextAt, next }, 'schedule is due earlier: a clock was set')
    return next
  }

  /** Said once, until the reason is another. */
  #rests(schedule: string, level: 'warn' | 'error', reason: string): void {
    if (this.#resting.get(schedule) === reason) return
    this.#resting.set(schedule, reason)
    this.#context.log[level]({ schedule, reason }, 'schedule is not fired here')
  }

  #tell(schedule: string, { run: kind }: ScheduleDefinition, { lateMs, nextAt, runs }: Firing): void {
    const { log } = this.#context
    const requested = runs
      .filter(({ skipped }) => skipped === null)
      .map(({ document, run }) => ({ document, run }))
    const level = lateMs > LATE_MS ? 'warn' : 'info'
    log[level]({ schedule, kind, lateMs: Math.round(lateMs), nextAt, requested }, 'schedule fired')
    for (const { document, skipped } of runs)
      if (skipped !== null)
        log.warn({ schedule, kind, document, reason: skipped }, 'schedule leaves a document out')
  }
}

interface InstalledSchedule extends StandingSchedule {
  readonly hash: string
}

/** Rides the primary key. */
async function readStanding(
  db: Queryable,
  schema: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, InstalledSchedule>> {
  const epoch = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`
  const { rows } = await db.query<{
    name: string
    hash: string
    next_at: string
    due: boolean
    now: number
    last_at: number | null
  }>(
    `SELECT name, hash, to_char(next_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS next_at,
            next_at <= clock_timestamp() AS due, ${epoch('clock_timestamp()')} AS now, ${epoch('last_at')} AS last_at
       FROM ${escapeIdentifier(schema)}.sync_schedule
      WHERE name = ANY ($1)`,
    [names],
  )
  return new Map(
    rows.map(({ name, hash, next_at: nextAt, due, now, last_at: lastAt }) => [
      name,
      { name, hash, nextAt, due, now: new Date(now), lastAt: lastAt === null ? null : new Date(lastAt) },
    ]),
  )
}
