import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { RunCounts } from './types.ts'

/** Adds a batch's counts to its runs, in the order of their ids (a batch may hold marks of two). Rides the primary key. */
export async function addRunCounts(db: Queryable, schema: string, runs: readonly RunCounts[]): Promise<void> {
  if (runs.length === 0) return
  const s = escapeIdentifier(schema)
  await db.query(
    `WITH locked AS (SELECT id FROM ${s}.sync_run WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE)
     UPDATE ${s}.sync_run r
        SET processed = r.processed + c.processed, created = r.created + c.created, updated = r.updated + c.updated,
            deleted = r.deleted + c.deleted, failed = r.failed + c.failed
       FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
            AS c (id, processed, created, updated, deleted, failed)
       JOIN locked USING (id)
      WHERE r.id = c.id`,
    [
      runs.map(({ runId }) => runId),
      runs.map(({ processed }) => processed),
      runs.map(({ created }) => created),
      runs.map(({ updated }) => updated),
      runs.map(({ deleted }) => deleted),
      runs.map(({ failed }) => failed),
    ],
  )
}
