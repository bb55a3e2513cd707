import { escapeIdentifier } from 'pg'
import type { z } from 'zod'
import type { inspectJson } from '../answers/json/inspect.ts'
import type { Queryable } from '../postgres/types.ts'

type Inspection = z.infer<typeof inspectJson>

/**
 * Marks that hold a key, or everything, of one document. A claimed mark is seen too: its deletion is not committed
 * before it is settled. Walks the document's marks: 0.2 s with a million of them.
 */
export async function readMarks(
  db: Queryable,
  schema: string,
  document: string,
  key: string,
): Promise<Inspection['marks']> {
  const { rows } = await db.query<Inspection['marks'][number]>(
    `SELECT id::text AS id, lane, op, keys IS NULL AS everything, target, run_id::text AS "runId",
            extract(epoch FROM clock_timestamp() - created_at)::double precision * 1000 AS "ageMs"
       FROM ${escapeIdentifier(schema)}.sync_queue
      WHERE document = $1 AND (keys IS NULL OR $2 = ANY (keys))
      ORDER BY lane, sync_queue.id
      LIMIT 20`,
    [document, key],
  )
  return rows
}

/** Rows of sync_failed for a key. Rides the primary key. */
export async function readFailures(
  db: Queryable,
  schema: string,
  document: string,
  key: string,
): Promise<Inspection['failures']> {
  const utc = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
  const { rows } = await db.query<Inspection['failures'][number]>(
    `SELECT target, state, attempts, type, reason, version::text AS version,
            ${utc('last_failed_at')} AS "lastFailedAt", ${utc('due_at')} AS "dueAt"
       FROM ${escapeIdentifier(schema)}.sync_failed
      WHERE document = $1 AND key = $2
      ORDER BY target`,
    [document, key],
  )
  return rows
}
