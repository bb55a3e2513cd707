import { escapeIdentifier, type Pool } from 'pg'
import { DEFAULT_TIMEZONE, dueAfter } from '../config/cron.ts'
import { milliseconds } from '../config/duration.ts'
import type { ScheduleDefinition } from '../config/types.ts'
import { scheduleHash } from '../documents/hash.ts'
import { inTransaction } from '../postgres/transaction.ts'
import type { Queryable } from '../postgres/types.ts'
import { requestRun } from '../queue/request-run.ts'
import { readRun } from './read-runs.ts'
import { resolveSince } from './since.ts'
import type { RunOptions } from './types.ts'

/** A schedule as the database has it, by the database's clock (invariant 14). */
export interface StandingSchedule {
  readonly name: string
  /** When it is due; UTC with microseconds, as its row is compared. */
  readonly nextAt: string
  readonly due: boolean
  readonly now: Date
  /** When it was due last. */
  readonly lastAt: Date | null
}

/** What became of a firing for one document. */
export interface FiredRun {
  readonly document: string
  /** The run that was requested; where one was under way, that one. */
  readonly run: string | null
  /** Why no run was requested; null where one was. */
  readonly skipped: string | null
}

export interface Firing {
  /** The time it was due. */
  readonly dueAt: string
  readonly lateMs: number
  readonly nextAt: string
  readonly runs: readonly FiredRun[]
}

interface Firer {
  readonly pool: Pool
  readonly schema: string
  /** Instance, for `sync_schedule.fired_by`. */
  readonly instance: string
}

/** A transaction that hangs here would hold the schedule; Postgres ends it, and another instance fires. */
const HANGS_AFTER = '10s'

/**
 * Fires a schedule that is due, unless another instance has: compare and set. The row changes, and the runs are
 * requested, in one transaction: a crash in between leaves it due, and it is fired once all the same. However many
 * times have passed, it is one firing: the next one is the first after now. Null when it was another's.
 */
export async function fireSchedule(
  { pool, schema, instance }: Firer,
  schedule: StandingSchedule,
  definition: ScheduleDefinition,
): Promise<Firing | null> {
  const { name, nextAt: dueAt, now } = schedule
  const nextAt = nextDue({ now, lastAt: new Date(dueAt) }, definition).toISOString()
  const options = await runOptions(pool, definition, dueAt)
  const s = escapeIdentifier(schema)
  return inTransaction(
    pool,
    async (client) => {
      const { rows } = await client.query<{ late: number }>(
        `UPDATE ${s}.sync_schedule
            SET next_at = $3, last_at = next_at, fired_at = clock_timestamp(), fired_by = $4
          WHERE name = $1 AND hash = $5 AND next_at = $2 AND next_at <= clock_timestamp()
          RETURNING extract(epoch FROM clock_timestamp() - $2::timestamptz)::float8 * 1000 AS late`,
        [name, dueAt, nextAt, instance, scheduleHash(definition)],
      )
      const [fired] = rows
      if (fired === undefined) return null
      const runs = await requestRuns(client, schema, { name, definition, options, dueAt })
      await client.query(`UPDATE ${s}.sync_schedule SET last_runs = $2 WHERE name = $1`, [
        name,
        JSON.stringify(runs),
      ])
      return { dueAt, lateMs: fired.late, nextAt, runs }
    },
    { settings: { idle_in_transaction_session_timeout: HANGS_AFTER } },
  )
}

/**
 * When a schedule is due next: the first time after now, and after the time it has fired for. A clock that is set back
 * does not bring the same time again.
 */
export function nextDue(
  { now, lastAt }: Pick<StandingSchedule, 'now' | 'lastAt'>,
  { cron, timezone = DEFAULT_TIMEZONE }: Pick<ScheduleDefinition, 'cron' | 'timezone'>,
): Date {
  return dueAfter(cron, timezone, lastAt !== null && lastAt > now ? lastAt : now)
}

interface Requests {
  readonly name: string
  readonly definition: ScheduleDefinition
  readonly options: RunOptions
  readonly dueAt: string
}

/** One run a document, or why there is none: what stands in one document's way holds up no other. */
async function requestRuns(
  client: Queryable,
  schema: string,
  { name, definition, options, dueAt }: Requests,
): Promise<readonly FiredRun[]> {
  const documents = `${escapeIdentifier(schema)}.sync_document`
  const { rows } = await client.query<{ name: string; state: string | null; reason: string | null }>(
    `SELECT n.name, d.state, d.reason
       FROM unnest(coalesce($1::text[], ARRAY(SELECT name FROM ${documents}))) AS n (name)
       LEFT JOIN ${documents} d ON d.name = n.name
      ORDER BY n.name`,
    [definition.documents ?? null],
  )
  const runs: FiredRun[] = []
  for (const { name: document, state, reason } of rows) {
    if (state !== 'active') {
      const why =
        state === null ? 'it is not installed' : `it is ${state}${reason === null ? '' : ` (${reason})`}`
      runs.push({ document, run: null, skipped: why })
      continue
    }
    const { id, existing } = await requestRun(client, schema, {
      kind: definition.run,
      document,
      options,
      requestedBy: `schedule ${name}`,
      // With a reason, for nobody watches it: should it fail, an alarm says so.
      reason: `schedule ${name} was due at ${dueAt.slice(0, 19).replace('T', ' ')} UTC`,
    })
    const other = existing ? await readRun(client, schema, id) : null
    const skipped = existing
      ? `run ${id} is under way, a ${other?.kind} requested by ${other?.requestedBy}`
      : null
    runs.push({ document, run: id, skipped })
  }
  return runs
}

/**
 * What its runs are asked to do. An interval of `since` reaches back from the time it was due: a firing that is late
 * takes in what one in time would have.
 */
async function runOptions(
  pool: Pool,
  { since, column, where, tenant, deep, sample, repair, threshold, keep }: ScheduleDefinition,
  dueAt: string,
): Promise<RunOptions> {
  const keepMs = keep === undefined ? null : milliseconds(keep)
  return {
    ...(since === undefined ? {} : { since: (await resolveSince(pool, since, dueAt)).instant }),
    ...(column === undefined ? {} : { column }),
    ...(where === undefined ? {} : { where }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(deep === undefined ? {} : { deep }),
    ...(sample === undefined ? {} : { sample }),
    ...(repair === undefined || repair === false ? {} : { repair: repair === true ? 'all' : repair }),
    ...(threshold === undefined ? {} : { threshold }),
    ...(keepMs === null ? {} : { keepMs }),
  }
}
