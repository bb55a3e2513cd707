import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/**
 * Puts keys that wait for an index back into their lane and returns how many; about `maxKeys`, in one short statement.
 * SKIP LOCKED: every daemon may do so at once. Rides sync_queue_parked.
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
