import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { MarkOp } from './types.ts'

export interface DeadKeysToMark {
  readonly document: string
  readonly op: MarkOp
  readonly runId: string
  /** Transaction that the marks stand for, as text. */
  readonly origin: string
}

/**
 * Marks the dead keys of a document, and returns how many. For a verify after a TRUNCATE: a row that never got into an
 * index is in no listing, and gone it is in no walk, so its failure would stay for ever. Array marks of up to 500 keys.
 * Rides the primary key.
 */
export async function markDeadKeys(
  db: Queryable,
  schema: string,
  { document, op, runId, origin }: DeadKeysToMark,
): Promise<number> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<{ keys: number }>(
    `WITH dead AS (
       SELECT key, (row_number() OVER (ORDER BY key) - 1) / 500 AS chunk
         FROM (SELECT DISTINCT key FROM ${s}.sync_failed WHERE document = $1 AND state = 'dead') d
     ), marks AS (
       INSERT INTO ${s}.sync_queue (document, lane, op, run_id, origin, keys)
       SELECT $1, 1, $2, $3::bigint, $4::xid8, array_agg(key ORDER BY key) FROM dead GROUP BY chunk
     )
     SELECT count(*)::integer AS keys FROM dead`,
    [document, op, runId, origin],
  )
  return rows[0]?.keys ?? 0
}
