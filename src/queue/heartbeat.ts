import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import { serverSql } from '../postgres/version.ts'

export interface Heartbeat {
  readonly instance: string
  readonly host: string
  readonly pid: number
  /** Of the program. */
  readonly version: string
  readonly state: 'running' | 'waiting' | 'draining' | 'stopped'
  /** What it waits for. */
  readonly reason: string | null
  /** For how long it has been in this state, in milliseconds of its own clock (invariant 14). */
  readonly forMs: number
  /** Its configuration: document → hash of the definition. */
  readonly documents: Readonly<Record<string, string>>
  /** The same of the schedules that it fires. */
  readonly schedules: Readonly<Record<string, string>>
  /** What it does not send at present, and for how long. */
  readonly pauses: readonly {
    readonly document: string
    /** A physical index of it; null: the whole document. */
    readonly index: string | null
    readonly type: string
    readonly reason: string
    readonly forMs: number
  }[]
}

/**
 * Says that this daemon lives, and returns to which server (`serverSql`). A new process under the same name begins a new
 * life. Rides the primary key.
 */
export async function heartbeat(db: Queryable, schema: string, beat: Heartbeat): Promise<string> {
  const { rows } = await db.query<{ server: string }>(
    `INSERT INTO ${escapeIdentifier(schema)}.sync_worker AS w
       (instance, host, pid, version, state, reason, documents, schedules, pauses, since)
     VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $10::jsonb,
       (SELECT coalesce(jsonb_agg(p - 'forMs' || jsonb_build_object('since', to_char(
                 (clock_timestamp() - (p ->> 'forMs')::double precision * interval '1 millisecond') AT TIME ZONE 'UTC',
                 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))), '[]')
          FROM jsonb_array_elements($8::jsonb) AS p),
       clock_timestamp() - $9 * interval '1 millisecond')
     ON CONFLICT (instance) DO UPDATE
       SET host = excluded.host, pid = excluded.pid, version = excluded.version, role = excluded.role, state = excluded.state,
           reason = excluded.reason, since = excluded.since, documents = excluded.documents,
           schedules = excluded.schedules, pauses = excluded.pauses,
           started_at = CASE WHEN (w.host, w.pid) = (excluded.host, excluded.pid) AND w.state <> 'stopped'
                             THEN w.started_at ELSE excluded.started_at END,
           seen_at = excluded.seen_at
     RETURNING ${serverSql} AS server`,
    [
      beat.instance,
      beat.host,
      beat.pid,
      beat.version,
      beat.state,
      beat.reason,
      JSON.stringify(beat.documents),
      JSON.stringify(beat.pauses),
      beat.forMs,
      JSON.stringify(beat.schedules),
    ],
  )
  return rows[0]?.server ?? 'unknown'
}
