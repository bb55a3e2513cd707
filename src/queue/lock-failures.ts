import { escapeIdentifier, escapeLiteral, type PoolClient } from 'pg'
import { lastResult } from '../postgres/transaction.ts'

/**
 * Until commit: `exclusive`, for a settlement that records failures, lets no other settlement of the document pass;
 * `shared`, for one that has successes alone, keeps those out. So a failure is recorded either before a later success
 * looks for it, or after that success has committed, and then the row that failed is seen to have changed (recheck).
 * Two that record one key and erase another, the other way round, would deadlock without it. Never shared first and
 * exclusive later: two that do would wait for each other.
 *
 * Returns whether the document has any failure, which spares a settlement its list of keys. A statement after the lock's
 * own, for it must see what the last holder wrote; both in one round trip. Rides the primary key. retry_failed() and
 * discard_failed() take the same lock.
 */
export async function lockFailures(
  client: PoolClient,
  schema: string,
  document: string,
  mode: 'exclusive' | 'shared',
): Promise<boolean> {
  const s = escapeIdentifier(schema)
  const name = escapeLiteral(document)
  const result = lastResult(
    await client.query(
      `SELECT ${s}.lock_failures(${name}, ${mode === 'shared'});
       SELECT FROM ${s}.sync_failed WHERE document = ${name} LIMIT 1`,
    ),
  )
  return (result?.rows.length ?? 0) > 0
}
