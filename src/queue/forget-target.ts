import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/**
 * Drops keys that wait for an index which was dropped or retired, up to 2,000 marks, and returns how many. A mark for an
 * index that is written to no more has nothing to do; names are never used twice (invariant 13). Rides sync_queue_parked.
 */
export async function forgetTarget(db: Queryable, schema: string, index: string): Promise<number> {
  const { rows } = await db.query<{ keys: number }>(
    `SELECT ${escapeIdentifier(schema)}.forget_target($1)::float8 AS keys`,
    [index],
  )
  return rows[0]?.keys ?? 0
}
