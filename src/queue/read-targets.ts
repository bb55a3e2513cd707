import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { Target } from './types.ts'

/** Physical indices that every batch of the document writes to, the live one first. Read after the claim: what a reindex adds later marks later. */
export async function readTargets(
  db: Queryable,
  schema: string,
  document: string,
): Promise<readonly Target[]> {
  const { rows } = await db.query<{ index: string; uuid: string; role: 'live' | 'building' }>(
    `SELECT name AS index, uuid, role FROM ${escapeIdentifier(schema)}.sync_index
      WHERE document = $1 AND role IN ('live', 'building')
      ORDER BY role DESC, name`,
    [document],
  )
  return rows
}
