import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Creates the missing partitions of sync_log for today and the next two days (UTC); returns how many. Writers pass meanwhile. */
export async function ensureLogPartitions(db: Queryable, schema: string): Promise<number> {
  const { rows } = await db.query<{ created: number }>(
    `SELECT ${escapeIdentifier(schema)}.ensure_log_partitions(2) AS created`,
  )
  return rows[0]?.created ?? 0
}
