import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Of one call; the next comes a second later. */
const maxKeys = 5_000

/**
 * Marks the keys whose retry is due, and returns how many. Up to a hundred of a document go into the interactive lane:
 * single failures are near to their change; more are a backlog, and bulk. They are due again in ten minutes (as long
 * as the longest backoff), so that a mark that still waits in the queue is not written twice; its outcome sets the time
 * anew or erases the row. A time further off than that is from before the database's clock was put back: it is now.
 * SKIP LOCKED: every daemon may call this at once. Rides sync_failed_due from both its ends; 40 ms for 5,000. Whether any
 * is due is asked first, so that the rest is not planned in vain.
 */
export async function requeueDueFailures(
  db: Queryable,
  schema: string,
  documents: readonly string[],
): Promise<number> {
  if (documents.length === 0) return 0
  const s = escapeIdentifier(schema)
  const ends = await db.query<{ due: boolean | null }>(
    `SELECT min(due_at) <= now() OR max(due_at) > now() + interval '11 minutes' AS due
       FROM ${s}.sync_failed WHERE state = 'retrying'`,
  )
  if (ends.rows[0]?.due !== true) return 0
  const those = (condition: string, order: string) => `ARRAY(
                SELECT ctid FROM ${s}.sync_failed
                 WHERE state = 'retrying' AND ${condition} AND document = ANY ($1)
                 ORDER BY due_at ${order} LIMIT ${maxKeys} FOR UPDATE SKIP LOCKED)`
  const { rows } = await db.query<{ keys: number }>(
    `WITH due AS (
       UPDATE ${s}.sync_failed
          SET due_at = now() + interval '10 minutes'
        WHERE ctid = ANY (${those('due_at <= now()', 'ASC')} ||
                          ${those("due_at > now() + interval '11 minutes'", 'DESC')})
       RETURNING document, key, target, origin, op
     ), grouped AS (
       SELECT *, count(*) OVER (PARTITION BY document) AS of_document,
              (row_number() OVER (PARTITION BY document, target, origin, op ORDER BY key) - 1) / 500 AS chunk
         FROM due
     ), marked AS (
       INSERT INTO ${s}.sync_queue (document, lane, keys, op, origin, target)
       SELECT document, CASE WHEN of_document > 100 THEN 1 ELSE 0 END, array_agg(key ORDER BY key), op, origin,
              nullif(target, '')
         FROM grouped
        GROUP BY document, of_document, target, origin, op, chunk
     )
     SELECT count(*)::integer AS keys FROM due`,
    [documents],
  )
  return rows[0]?.keys ?? 0
}
