import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { LogEntry } from './types.ts'

/** A row of sync_log. */
export interface LoggedOutcome extends Pick<LogEntry, 'operation' | 'outcome'> {
  /** UTC, ISO 8601, to the microsecond. */
  readonly at: string
  readonly worker: string
  readonly document: string
  readonly index: string
  readonly count: number
  readonly bytes: number
  readonly lagMs: number | null
  readonly tookMs: number
}

/** What tells a row of the log from the others: those of one statement share its moment. */
export type LogPlace = readonly [
  at: string,
  worker: string,
  document: string,
  index: string,
  operation: string,
  outcome: string,
]

export interface LogFilter {
  readonly document?: string | undefined
  readonly outcome?: string | undefined
  /** Only what is older than this one. */
  readonly after?: LogPlace | undefined
}

/** Days; the log has no index by time but one of blocks, so that the latest are found by looking at ever more of it. */
const WINDOWS = [1 / 144, 1 / 12, 1, 7, 3650] as const

/**
 * Rows of the log, the latest first. now() and not the clock: by what may change meanwhile no partition is left out, and 30
 * days are read. Looks at the last ten minutes, then at more, until there are enough: of 30 days and a
 * busy daemon, ten minutes are a few thousand rows.
 */
export async function readLog(
  db: Queryable,
  schema: string,
  { document, outcome, after }: LogFilter,
  limit: number,
): Promise<readonly LoggedOutcome[]> {
  let found: readonly LoggedOutcome[] = []
  for (const days of WINDOWS) {
    const { rows } = await db.query<LoggedOutcome>(
      `SELECT to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, e.worker, e.document, e.index,
              e.operation, e.outcome, e.count::float8 AS count, e.bytes::float8 AS bytes,
              e.lag_ms AS "lagMs", e.took_ms AS "tookMs"
         FROM ${escapeIdentifier(schema)}.sync_log e
        WHERE e.at > coalesce($3::timestamptz, now()) - $9 * interval '1 day'
          AND ($3::timestamptz IS NULL OR e.at <= $3)
          AND ($3::timestamptz IS NULL
               OR (e.at, e.worker, e.document, e.index, e.operation, e.outcome) < ($3, $4::text, $5::text, $6::text, $7::text, $8::text))
          AND ($1::text IS NULL OR e.document = $1) AND ($2::text IS NULL OR e.outcome = $2)
        ORDER BY e.at DESC, e.worker DESC, e.document DESC, e.index DESC, e.operation DESC, e.outcome DESC
        LIMIT $10`,
      [document ?? null, outcome ?? null, ...(after ?? [null, null, null, null, null, null]), days, limit],
    )
    found = rows
    if (found.length >= limit) break
  }
  return found
}
