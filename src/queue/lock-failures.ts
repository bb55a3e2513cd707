import type { Queryable } from '../postgres/types.ts'

/** First key of the advisory lock; any number will do that nobody else uses. */
const lockClass = 731_058_393

/**
 * Until commit, this settlement alone writes to the failures of the document. Without it, two that record one key and
 * erase another, the other way round, would deadlock. A statement of its own: the next ones must see what the last
 * holder wrote. Only where something failed, now or earlier.
 */
export async function lockFailures(db: Queryable, schema: string, document: string): Promise<void> {
  await db.query('SELECT pg_advisory_xact_lock($1::integer, hashtext($2))', [
    lockClass,
    JSON.stringify([schema, document]),
  ])
}
