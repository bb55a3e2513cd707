import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Creates the missing partitions of sync_log for today and the next two days (UTC); returns how many. Writers pass meanwhile. */
export async function ensureLogPartitions(db: Queryable, schema: string): Promise<number> {
  const { rows } = await db.query<{ created: number }>(
    `SELECT ${escapeIdentifier(schema)}.ensure_log_partitions(2) AS created`,
  )
  return rows[0]?.created ?? 0
}

/** Drops partitions older than that many days; returns how many. One that is in use stays until the next time. */
export async function dropOldLogPartitions(
  db: Queryable,
  schema: string,
  retentionDays: number,
): Promise<number> {
  const { rows } = await db.query<{ dropped: number }>(
    `SELECT ${escapeIdentifier(schema)}.drop_old_log_partitions($1) AS dropped`,
    [retentionDays],
  )
  return rows[0]?.dropped ?? 0
}
