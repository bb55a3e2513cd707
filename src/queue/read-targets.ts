import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { BatchTarget, Target } from './types.ts'

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

/**
 * The same for a batch, or null when the document must not be worked on with this definition: it was paused, detached,
 * or installed anew since this daemon last looked. So a pause holds from its commit on, and in a rolling deploy no
 * batch writes by another definition than the installed one.
 */
export async function readWorkableTargets(
  db: Queryable,
  schema: string,
  { document, hash }: { readonly document: string; readonly hash: string },
): Promise<readonly BatchTarget[] | null> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<
    { workable: boolean } & { [Key in keyof BatchTarget]: BatchTarget[Key] | null }
  >(
    `SELECT d.state = 'active' AND d.hash = $2 AS workable, i.name AS index, i.uuid, i.role,
            i.released_at::text AS "releasedAt"
       FROM ${s}.sync_document d
       LEFT JOIN ${s}.sync_index i ON i.document = d.name AND i.role IN ('live', 'building')
      WHERE d.name = $1
      ORDER BY i.role DESC, i.name`,
    [document, hash],
  )
  if (rows[0]?.workable !== true) return null
  return rows.flatMap(({ index, uuid, role, releasedAt }) =>
    index === null || uuid === null || role === null ? [] : [{ index, uuid, role, releasedAt }],
  )
}
