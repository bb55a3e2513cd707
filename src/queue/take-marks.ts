import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { Lane } from './types.ts'

export interface MarksToTake {
  readonly document: string
  readonly lane: Lane
  readonly ids: readonly string[]
}

/** Takes those of some marks out of the queue that nobody holds; returns how many. To be called in a transaction. */
export async function takeMarks(
  db: Queryable,
  schema: string,
  { document, lane, ids }: MarksToTake,
): Promise<number> {
  const queue = `${escapeIdentifier(schema)}.sync_queue`
  const { rowCount } = await db.query(
    `DELETE FROM ${queue} q
      WHERE q.ctid = ANY (ARRAY(SELECT m.ctid FROM ${queue} m
                                 WHERE m.document = $1 AND m.lane = $2 AND m.id = ANY ($3::bigint[])
                                   FOR UPDATE SKIP LOCKED))`,
    [document, lane, ids],
  )
  return rowCount ?? 0
}
