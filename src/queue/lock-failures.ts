import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/**
 * Until commit, this settlement alone writes to the failures of the document. Without it, two that record one key and
 * erase another, the other way round, would deadlock. A statement of its own: the next ones must see what the last
 * holder wrote. Only where something failed, now or earlier. retry_failed() and discard_failed() take the same lock.
 */
export async function lockFailures(db: Queryable, schema: string, document: string): Promise<void> {
  await db.query(`SELECT ${escapeIdentifier(schema)}.lock_failures($1)`, [document])
}
