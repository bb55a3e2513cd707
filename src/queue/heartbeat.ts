import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

export interface Heartbeat {
  readonly instance: string
  readonly host: string
  readonly pid: number
  /** Of the program. */
  readonly version: string
  readonly state: 'running' | 'waiting' | 'draining' | 'stopped'
  /** What it waits for. */
  readonly reason: string | null
  /** Its configuration: document → hash of the definition. */
  readonly documents: Readonly<Record<string, string>>
  /** What it does not send at present. */
  readonly pauses: readonly {
    readonly document: string
    /** A physical index of it; null: the whole document. */
    readonly index: string | null
    readonly type: string
    readonly reason: string
  }[]
}

/** Says that this daemon lives. A new process under the same name begins a new life. Rides the primary key. */
export async function heartbeat(db: Queryable, schema: string, beat: Heartbeat): Promise<void> {
  await db.query(
    `INSERT INTO ${escapeIdentifier(schema)}.sync_worker AS w
       (instance, host, pid, version, state, reason, documents, pauses)
     VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb)
     ON CONFLICT (instance) DO UPDATE
       SET host = excluded.host, pid = excluded.pid, version = excluded.version, state = excluded.state,
           reason = excluded.reason, documents = excluded.documents, pauses = excluded.pauses,
           started_at = CASE WHEN (w.host, w.pid) = (excluded.host, excluded.pid) AND w.state <> 'stopped'
                             THEN w.started_at ELSE excluded.started_at END,
           seen_at = excluded.seen_at`,
    [
      beat.instance,
      beat.host,
      beat.pid,
      beat.version,
      beat.state,
      beat.reason,
      JSON.stringify(beat.documents),
      JSON.stringify(beat.pauses),
    ],
  )
}
