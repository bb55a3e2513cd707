import { escapeIdentifier } from 'pg'
import type { DocumentPlan } from '../documents/types.ts'
import type { Queryable } from '../postgres/types.ts'

/** A row of sync_document. */
export interface InstalledDocument {
  readonly name: string
  readonly state: 'active' | 'paused' | 'detached'
  readonly reason: string | null
  /** Something an operator has to look at. */
  readonly alarm: string | null
  /** The mass-delete brake holds deletes back. */
  readonly tripped: boolean
  /** Hash of the definition it was installed with. */
  readonly hash: string
  readonly plan: DocumentPlan
}

/** All installed documents, by name. */
export async function readDocuments(db: Queryable, schema: string): Promise<readonly InstalledDocument[]> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<{
    name: string
    state: InstalledDocument['state']
    reason: string | null
    alarm: string | null
    tripped: boolean
    hash: string
    plan: DocumentPlan
  }>(
    `SELECT d.name, d.state, d.reason, d.alarm, b.tripped_at IS NOT NULL AS tripped, d.hash, d.plan
       FROM ${s}.sync_document d LEFT JOIN ${s}.sync_brake b ON b.document = d.name
      ORDER BY d.name`,
  )
  return rows
}
