import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import { followActive, rewriting } from './request-run.ts'

/** Requests a verify of every installed document; where a run is under way, a verify follows it. Returns how many. */
export async function requestVerifyOfAll(db: Queryable, schema: string, reason: string): Promise<number> {
  const s = escapeIdentifier(schema)
  const { rowCount } = await db.query(
    `INSERT INTO ${s}.sync_run AS r (kind, document, options, requested_by, reason)
     SELECT 'verify', d.name, ${rewriting}, 'sluice', $1 FROM ${s}.sync_document d WHERE d.state <> 'detached' ORDER BY d.name
     ${followActive('true')}`,
    [reason],
  )
  return rowCount ?? 0
}
