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

/** Both lanes that workers claim from, of each document, from their first mark on. */
export function wholeLanes(documents: readonly string[]): readonly LaneFront[] {
  return documents.flatMap((document) => ([0, 1] as const).map((lane) => ({ document, lane, front: 0n })))
}

/**
 * The poll: which of these lanes have marks from their fronts on. Marks that another worker holds count, too, until it
 * commits. One probe of the primary key for each, in a function, which keeps its plan: at rest the poll is most of what
 * Postgres does for a daemon.
 */
export async function pendingLanes(
  db: Queryable,
  schema: string,
  lanes: readonly LaneFront[],
): Promise<Look> {
  if (lanes.length === 0) return { lanes: [], lastId: null }
  const { rows } = await db.query<{ document: string; lane: 0 | 1; front: string; last_id: string }>(
    `SELECT document, lane, front::text, last_id::text FROM ${escapeIdentifier(schema)}.pending_lanes($1, $2, $3)`,
    [
      lanes.map(({ document }) => document),
      lanes.map(({ lane }) => lane),
      lanes.map(({ front }) => String(front)),
    ],
  )
  return {
    lanes: rows.map(({ document, lane, front }) => ({ document, lane, front: BigInt(front) })),
    lastId: rows[0] === undefined ? null : BigInt(rows[0].last_id),
  }
}
