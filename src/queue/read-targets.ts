import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { BatchTarget, Target } from './types.ts'

/** Physical indices that every batch of the document writes to, the live one first. Read after the claim: what a reindex adds later marks later. */
export async function readTargets(
  db: Queryable,
  schema: string,
  document: string,
): Promise<readonly Target[]> {
  const { rows } = await db.query<Target>(
    `SELECT name AS index, alias, uuid, role FROM ${escapeIdentifier(schema)}.sync_index
      WHERE document = $1 AND role <> 'retired'
      ORDER BY role DESC, name`,
    [document],
  )
  return rows
}

/** The same of some aliases, for a batch of a document that has an index for each tenant; there may be thousands. */
export async function readTargetsOf(
  db: Queryable,
  schema: string,
  document: string,
  aliases: readonly string[],
): Promise<readonly BatchTarget[]> {
  const { rows } = await db.query<BatchTarget>(
    `SELECT name AS index, alias, uuid, role, released_at::text AS "releasedAt"
       FROM ${escapeIdentifier(schema)}.sync_index
      WHERE document = $1 AND role <> 'retired' AND alias = ANY ($2)
      ORDER BY role DESC, name`,
    [document, aliases],
  )
  return rows
}

/**
 * The targets for a batch, or null when the document must not be worked on with this definition: it was paused, detached,
 * or installed anew since this daemon last looked. So a pause holds from its commit on, and in a rolling deploy no
 * batch writes by another definition than the installed one. With `tenants` only that is looked at: which ones it takes
 * is not known yet.
 */
export async function readWorkableTargets(
  db: Queryable,
  schema: string,
  {
    document,
    hash,
    tenants,
  }: { readonly document: string; readonly hash: string; readonly tenants: boolean },
): Promise<readonly BatchTarget[] | null> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<
    { workable: boolean } & { [Key in keyof BatchTarget]: BatchTarget[Key] | null }
  >(
    `SELECT d.state = 'active' AND d.hash = $2 AS workable, i.name AS index, i.alias, i.uuid, i.role,
            i.released_at::text AS "releasedAt"
       FROM ${s}.sync_document d
       LEFT JOIN ${s}.sync_index i ON NOT $3 AND i.document = d.name AND i.role <> 'retired'
      WHERE d.name = $1
      ORDER BY i.role DESC, i.name`,
    [document, hash, tenants],
  )
  if (rows[0]?.workable !== true) return null
  return rows.flatMap(({ index, alias, uuid, role, releasedAt }) =>
    index === null || alias === null || uuid === null || role === null
      ? []
      : [{ index, alias, uuid, role, releasedAt }],
  )
}
