import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import { followActive, rewriting } from './request-run.ts'

export interface ChangedIndex {
  readonly document: string
  readonly index: string
  readonly uuid: string
  /** Shown by status. */
  readonly reason: string
}

/**
 * Notes the new UUID of an index that was restored or recreated by hand, pauses its document and requests a verify,
 * which runs once an operator resumes it. One statement: noted without the pause, nobody would ever look at it.
 * False when another daemon was first.
 */
export async function acceptIndexUuid(
  db: Queryable,
  schema: string,
  { document, index, uuid, reason }: ChangedIndex,
): Promise<boolean> {
  const s = escapeIdentifier(schema)
  const { rowCount } = await db.query(
    `WITH noted AS (
       UPDATE ${s}.sync_index SET uuid = $3, shards = '{}' WHERE name = $2 AND uuid <> $3 RETURNING document
     ), paused AS (
       UPDATE ${s}.sync_document SET state = 'paused', reason = $4, changed_at = clock_timestamp()
        WHERE name = $1 AND state = 'active' AND EXISTS (SELECT FROM noted)
     )
     INSERT INTO ${s}.sync_run AS r (kind, document, options, requested_by, reason)
     SELECT 'verify', noted.document, ${rewriting}, 'sluice', $4 FROM noted
     ${followActive('true')}`,
    [document, index, uuid, reason],
  )
  return (rowCount ?? 0) > 0
}
