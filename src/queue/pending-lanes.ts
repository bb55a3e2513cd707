import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** A lane, and an id: that from which on its marks are sought, or that of its first mark. */
export interface LaneFront {
  readonly document: string
  readonly lane: 0 | 1
  readonly front: bigint
}

/** What a look found. */
export interface Look {
  /** Lanes with marks. */
  readonly lanes: readonly LaneFront[]
  /** The last id that was given out by then; null where no lane has a mark. */
  readonly lastId: bigint | null
}

/**
 * The poll: which lanes have marks, from the fronts on (QueueFronts), or from the beginning. Marks that another worker
 * holds count, too, until it commits. LIMIT 1 in a LATERAL keeps it to one probe of the primary key per document and lane
 * (an EXISTS may be planned as a hash join over the whole queue). Ten documents, one million marks: 0.4 ms. At rest it is
 * most of what a daemon costs, and always from the beginning: hence a statement of its own for that.
 */
export async function pendingLanes(
  db: Queryable,
  schema: string,
  documents: readonly string[],
  fronts: readonly LaneFront[] | null = null,
): Promise<Look> {
  if (documents.length === 0) return { lanes: [], lastId: null }
  const s = escapeIdentifier(schema)
  const [lanes, condition, values] =
    fronts === null
      ? [
          'unnest($1::text[]) AS d (document) CROSS JOIN (VALUES (0::smallint), (1::smallint)) AS l (lane)',
          'q.document = d.document AND q.lane = l.lane',
          [documents],
        ]
      : [
          'unnest($1::text[], $2::smallint[], $3::bigint[]) AS l (document, lane, front)',
          'q.document = l.document AND q.lane = l.lane AND q.id >= l.front',
          [
            fronts.map(({ document }) => document),
            fronts.map(({ lane }) => lane),
            fronts.map(({ front }) => String(front)),
          ],
        ]
  const { rows } = await db.query<{ document: string; lane: 0 | 1; front: string; last_id: string }>(
    `SELECT m.document, m.lane, m.id::text AS front, (SELECT last_value FROM ${s}.sync_queue_id_seq)::text AS last_id
       FROM ${lanes}
      CROSS JOIN LATERAL (
            SELECT q.document, q.lane, q.id FROM ${s}.sync_queue q
             WHERE ${condition} ORDER BY q.id LIMIT 1) AS m`,
    values,
  )
  return {
    lanes: rows.map(({ document, lane, front }) => ({ document, lane, front: BigInt(front) })),
    lastId: rows[0] === undefined ? null : BigInt(rows[0].last_id),
  }
}
