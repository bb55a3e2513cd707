import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

export interface RemovedRecords {
  /** `sync_log partitions`, `sync_rollup`, `sync_run`, `sync_audit`, `sync_worker`, `sync_alert`. */
  readonly records: string
  readonly removed: number
}

/**
 * Removes log, rollups, finished runs, audit, vanished workers and cleared alerts older than that many days (rollups are kept
 * for eight at least). Several at once follow each other. A partition of the log that somebody reads stays until the next time.
 */
export async function cleanupRecords(
  db: Queryable,
  schema: string,
  days: number,
): Promise<readonly RemovedRecords[]> {
  const { rows } = await db.query<{ records: string; removed: number }>(
    `SELECT records, removed::float8 AS removed FROM ${escapeIdentifier(schema)}.cleanup_old_sync_records($1)`,
    [days],
  )
  return rows
}
