import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { RunState } from './types.ts'

/** What a worker has to know again and again about its run. */
export interface Standing {
  readonly state: RunState
  readonly worker: string | null
  /** Marks of this run that are in the queue or in a batch that is not settled. */
  readonly pendingMarks: number
  readonly pendingKeys: number
  /** Those of `pendingKeys` that wait for a blocked index. */
  readonly parkedKeys: number
}

/**
 * Reads a run's standing; null when the row is gone. The count rides the queue's primary key (document, lane, id): it
 * reads this document's marks of the lanes above 0, which is where a run's marks are (and stay: keys given back return
 * to their lane, parked ones are released into the bulk lane), and never those of others. A batch in flight has deleted
 * its marks in a transaction that is still open, so they are counted until their outcome is committed. With 40 marks of its own: 0.5 ms; beside a million
 * bulk marks of others it reads them all, 150 ms, which is why `lookDelay` grows with the time it took.
 */
export async function readStanding(db: Queryable, schema: string, id: string): Promise<Standing | null> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<{
    state: RunState
    worker: string | null
    marks: number
    keys: number
    parked: number
  }>(
    `SELECT r.state, r.worker, q.marks::float8, q.keys::float8, q.parked::float8
       FROM ${s}.sync_run r
       CROSS JOIN LATERAL (
         SELECT count(*) AS marks, coalesce(sum(cardinality(m.keys)), 0) AS keys,
                coalesce(sum(cardinality(m.keys)) FILTER (WHERE m.lane = 2), 0) AS parked
           FROM ${s}.sync_queue m
          WHERE m.document = r.document AND m.lane IN (1, 2) AND m.run_id = r.id) q
      WHERE r.id = $1`,
    [id],
  )
  const [row] = rows
  return row === undefined
    ? null
    : {
        state: row.state,
        worker: row.worker,
        pendingMarks: row.marks,
        pendingKeys: row.keys,
        parkedKeys: row.parked,
      }
}
