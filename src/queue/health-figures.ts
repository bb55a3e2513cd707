import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

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
  /** What the last verify of each document found, where nothing has rewritten the document since. */
  readonly verified: readonly {
    readonly document: string
    readonly finishedAt: string
    readonly comparison: Verified
  }[]
  readonly troubled: readonly { readonly document: string; readonly what: string }[]
}

interface Differences {
  readonly missing: number
  readonly stale: number
  readonly extra: number
}

interface Verified extends Differences {
  readonly rows: number
  readonly documents: number
  readonly left?: Differences
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
            (SELECT coalesce(json_agg(json_build_object('document', v.document, 'comparison', v.comparison,
                      'finishedAt', to_char(v.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))), '[]')
               FROM active a CROSS JOIN LATERAL (
                    SELECT r.id, r.document, r.finished_at, r.result -> 'comparison' AS comparison FROM ${s}.sync_run r
                     WHERE r.document = a.name AND r.kind = 'verify' AND r.state = 'done' AND r.result ? 'comparison'
                     ORDER BY r.id DESC LIMIT 1) AS v
              WHERE NOT EXISTS (
                    SELECT FROM ${s}.sync_run later
                     WHERE later.document = v.document AND later.id > v.id AND later.state = 'done'
                       AND (later.kind = 'reindex' OR later.kind = 'verify' AND later.options ->> 'repair' = 'rewrite'))) AS verified,
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
