import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** A change that somebody asks for over HTTP: a row of sync_audit. */
export interface AuditEntry {
  /** Instance that was asked. */
  readonly instance: string
  /** Fingerprint of the token. */
  readonly who: string
  /** Address that it came from. */
  readonly address: string
  readonly requestId: string
  /** `POST /api/documents/:name/pause` */
  readonly action: string
  /** Document, index or run; null: none is named. */
  readonly subject: string | null
  /** The body, as it was sent. */
  readonly asked: unknown
}

/** Before it is done, so that nothing is done of which there is no word; returns the entry's id. 0.3 ms. */
export async function beginAudit(db: Queryable, schema: string, entry: AuditEntry): Promise<string> {
  const { instance, who, address, requestId, action, subject, asked } = entry
  const { rows } = await db.query<{ id: string }>(
    `INSERT INTO ${escapeIdentifier(schema)}.sync_audit (instance, who, address, request_id, action, subject, asked)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id::text`,
    [instance, who, address, requestId, action, subject, JSON.stringify(asked ?? {})],
  )
  return rows[0]?.id ?? ''
}

/** What came of it. Rides the primary key. */
export async function endAudit(
  db: Queryable,
  schema: string,
  id: string,
  { status, outcome }: { readonly status: number; readonly outcome: string },
): Promise<void> {
  await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_audit SET status = $2, outcome = $3 WHERE id = $1`,
    [id, status, outcome],
  )
}
