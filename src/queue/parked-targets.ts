import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** An index that parked keys wait for. */
export interface ParkedTarget {
  readonly document: string
  readonly index: string
  /** Whether batches still write to it; false once it was dropped or retired. */
  readonly registered: boolean
  /** As in BatchTarget. */
  readonly releasedAt: string | null
}

/**
 * Indices of these documents that parked keys wait for: marks of lane 2 with a target, whoever parked them. Rides
 * sync_queue_parked, one probe for each index; 0.3 ms beside 1.1 million marks of others, 0.4 ms with
 * 300,000 marks that wait for two indices.
 */
export async function parkedTargets(
  db: Queryable,
  schema: string,
  documents: readonly string[],
): Promise<readonly ParkedTarget[]> {
  const { rows } = await db.query<ParkedTarget>(
    `SELECT document, target AS index, registered, released_at::text AS "releasedAt" FROM ${escapeIdentifier(schema)}.parked_targets()
      WHERE document = ANY ($1)`,
    [documents],
  )
  return rows
}
