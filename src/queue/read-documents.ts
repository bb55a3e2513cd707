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
  /** Hash of the definition it was installed with. */
  readonly hash: string
  readonly plan: DocumentPlan
}

/** All installed documents, by name. */
export async function readDocuments(db: Queryable, schema: string): Promise<readonly InstalledDocument[]> {
  const { rows } = await db.query<{
    name: string
    state: InstalledDocument['state']
    reason: string | null
    alarm: string | null
    hash: string
    plan: DocumentPlan
  }>(
    `SELECT name, state, reason, alarm, hash, plan FROM ${escapeIdentifier(schema)}.sync_document ORDER BY name`,
  )
  return rows
}
