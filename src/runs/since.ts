import { UsageError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import type { Queryable } from '../postgres/types.ts'

/** A moment, as the two kinds of columns hold it. */
export interface Since {
  /** With its zone, for `timestamptz`. */
  readonly instant: string
  /**
   * Without, for `timestamp` and `date`: by the clock on the wall of the database's own time zone, which is what
   * `DEFAULT now()` writes into such a column.
   */
  readonly local: string
}

/**
 * `--since` → a moment. Postgres reads it: a timestamp (`2026-01-31 12:00`, `yesterday`), or an interval before the
 * request (`2 hours`); before the request and not before now, so that a run resumed the next day walks the same rows.
 * Outside any transaction with settings of ours, for the sake of the database's own time zone.
 */
export async function resolveSince(db: Queryable, since: string, requestedAt: string | null): Promise<Since> {
  const moment =
    (await read(db, '$1::timestamptz', [since])) ??
    (await read(db, 'coalesce($2::timestamptz, clock_timestamp()) - $1::interval', [since, requestedAt]))
  if (moment !== null) return moment
  throw new UsageError(`"${since}" is neither an interval ("2 hours") nor a timestamp ("2026-01-31 12:00")`, {
    where: '--since',
  })
}

/** Null when Postgres cannot read the text (class 22), or it is no point on the time line. */
async function read(db: Queryable, expression: string, values: readonly unknown[]): Promise<Since | null> {
  try {
    const { rows } = await db.query<{ finite: boolean; instant: string; local: string }>(
      `SELECT isfinite(t) AS finite,
              to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00" BC') AS instant,
              to_char(t, 'YYYY-MM-DD HH24:MI:SS.US BC') AS local
         FROM (SELECT ${expression} AS t) moment`,
      values,
    )
    const [row] = rows
    return row?.finite === true ? { instant: row.instant, local: row.local } : null
  } catch (error) {
    if (sqlState(error)?.startsWith('22') === true) return null
    throw error
  }
}
