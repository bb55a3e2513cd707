import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import { lastDifferencesSql } from './last-differences.ts'

/** How documents that are active are doing, for `/health`. */
export interface Figures {
  /** Milliseconds since an operation was last carried out, to the minute; null: none within a week. */
  readonly lastSyncMs: number | null
  /** Keys that wait; of a hundred thousand marks at most. */
  readonly pendingKeys: number
  /** False where there are more marks than were looked at. */
  readonly pendingIsExact: boolean
  /** null: nothing waits. */
  readonly oldestPendingMs: number | null
  readonly answeredLastHour: number
  readonly failedLastHour: number
  /** What the last verify of each document has left, as the alert `drift` has it (`lastDifferencesSql`). */
  readonly verified: readonly Verified[]
  readonly troubled: readonly { readonly document: string; readonly what: string }[]
}

export interface Verified {
  readonly document: string
  /** Milliseconds since its end. */
  readonly ageMs: number
  readonly missing: number
  readonly stale: number
  readonly extra: number
  /** Rows or documents, whichever were more; 1 at least. */
  readonly compared: number
}

/** So many marks are looked at: 20 ms. */
const MOST_MARKS = 100_000

/**
 * Unlike sync_stats it counts no more of the queue than it has to: whoever probes health comes every few seconds. The oldest
 * mark is found as the poll finds its documents, by the head of each document and lane on the queue's primary key.
 */
export async function healthFigures(db: Queryable, schema: string): Promise<Figures> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<Figures>(
    `WITH active AS MATERIALIZED (SELECT name FROM ${s}.sync_document WHERE state = 'active'),
     marks AS MATERIALIZED (
       SELECT coalesce(cardinality(q.keys), 1) AS keys
         FROM active a JOIN ${s}.sync_queue q ON q.document = a.name WHERE q.lane < 2 LIMIT $1::bigint + 1),
     hour AS (
       SELECT coalesce(sum(u.indexed + u.deleted + u.superseded + u.retried + u.dead), 0)::float8 AS answered,
              coalesce(sum(u.retried + u.dead), 0)::float8 AS failed
         FROM ${s}.sync_rollup u JOIN active a ON a.name = u.document WHERE u.minute > now() - interval '1 hour')
     SELECT (SELECT greatest(extract(epoch FROM clock_timestamp() - u.minute - interval '1 minute') * 1000, 0)::float8
               FROM ${s}.sync_rollup u
              WHERE u.minute > now() - interval '7 days' AND u.indexed + u.deleted + u.superseded > 0
              ORDER BY u.minute DESC LIMIT 1) AS "lastSyncMs",
            (SELECT coalesce(sum(keys), 0)::float8 FROM marks) AS "pendingKeys",
            (SELECT count(*) <= $1 FROM marks) AS "pendingIsExact",
            (SELECT extract(epoch FROM clock_timestamp() - min(head.created_at)) * 1000
               FROM active a CROSS JOIN (VALUES (0::smallint), (1::smallint)) AS l (lane)
              CROSS JOIN LATERAL (
                    SELECT q.created_at FROM ${s}.sync_queue q
                     WHERE q.document = a.name AND q.lane = l.lane ORDER BY q.id LIMIT 1) AS head)::float8 AS "oldestPendingMs",
            hour.answered AS "answeredLastHour", hour.failed AS "failedLastHour",
            (SELECT coalesce(json_agg(json_build_object('document', v.document, 'missing', v.missing, 'stale', v.stale,
                      'extra', v.extra, 'compared', v.compared,
                      'ageMs', (extract(epoch FROM clock_timestamp() - v.finished_at) * 1000)::float8)), '[]')
               FROM (${lastDifferencesSql(s)}) v) AS verified,
            (SELECT coalesce(json_agg(json_build_object('document', d.name, 'what', coalesce(d.alarm,
                      d.state || coalesce(' (' || d.reason || ')', ''))) ORDER BY d.name), '[]')
               FROM ${s}.sync_document d WHERE d.state <> 'active' OR d.alarm IS NOT NULL) AS troubled
       FROM hour`,
    [MOST_MARKS],
  )
  const [figures] = rows
  if (figures === undefined) throw new Error('figures without a row')
  return figures
}
