import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Stops a document that cannot be read. One that an operator paused, or that is detached, keeps its state and reason. */
export async function pauseDocument(
  db: Queryable,
  schema: string,
  document: string,
  reason: string,
): Promise<void> {
  await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_document
        SET state = 'paused', reason = $2, changed_at = clock_timestamp()
      WHERE name = $1 AND state = 'active'`,
    [document, reason],
  )
}
