import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import { CAPTURE_ALARM } from './capture-alarm.ts'
import { lastDifferencesSql } from './last-differences.ts'

/** What can last, and be raised as an alert; docs/metrics.md says what each means. */
export const alertNames = [
  'backlog_old',
  'brake_tripped',
  'capture_gap',
  'dead_letters',
  'document_alarm',
  'document_detached',
  'document_paused',
  'drift',
  'no_worker',
  'run_failed',
  'sending_paused',
] as const
export type AlertName = (typeof alertNames)[number]
export type AlertSeverity = 'warning' | 'critical'

/** Something that holds at present, or as good as holds. */
export interface Condition {
  readonly name: AlertName
  readonly document: string | null
  readonly severity: AlertSeverity
  readonly reason: string
  /** Timestamp as text. */
  readonly since: string
  /** False: it keeps an alert that stands, and raises none. */
  readonly due: boolean
}

export interface AlertLimits {
  readonly backlogAfterMs: number
  readonly drift: number
}

/** Dead letters that are counted of a document; beyond that "more than" says enough. */
const COUNTED = 1_000

/**
 * Everything that lasts, by the database's clock (invariant 14). What comes and goes is not due before a minute has
 * passed (a rolling restart, an index that is busy), and a backlog keeps its alert until it is down to half the limit.
 * One statement over small tables; of the queue it reads the first mark of each document and lane, of the dead letters a
 * thousand by sync_failed_dead: 2 ms with ten documents, 3 ms with a million marks and 100,000 dead letters.
 */
export async function readConditions(
  db: Queryable,
  schema: string,
  { backlogAfterMs, drift }: AlertLimits,
): Promise<readonly Condition[]> {
  const { rows } = await db.query<Condition>(conditionsSql(escapeIdentifier(schema)), [
    backlogAfterMs,
    drift,
    CAPTURE_ALARM,
  ])
  return rows
}

function conditionsSql(s: string): string {
  return `
    WITH document AS MATERIALIZED (
      SELECT d.*, CASE WHEN starts_with(d.alarm, $3) THEN 'capture_gap'
                       WHEN starts_with(d.alarm, 'the mass-delete brake ') THEN NULL
                       WHEN d.alarm ~ '^(backfill|reindex|verify|optimize) run [0-9]+ [(]' THEN NULL
                       WHEN d.alarm IS NOT NULL THEN 'document_alarm' END AS alarm_name
        FROM ${s}.sync_document d
    ), found (name, document, severity, reason, since, due) AS (
      SELECT d.alarm_name, d.name, 'critical', d.alarm, clock_timestamp(), true
        FROM document d WHERE d.alarm_name IS NOT NULL
      UNION ALL
      SELECT 'document_' || d.state, d.name, CASE d.state WHEN 'paused' THEN 'warning' ELSE 'critical' END,
             coalesce(d.reason, d.state), d.changed_at, true
        FROM document d WHERE d.state <> 'active'
      UNION ALL
      SELECT 'brake_tripped', b.document, 'critical', ${s}.brake_alarm(b.document), b.tripped_at, true
        FROM ${s}.sync_brake b WHERE b.tripped_at IS NOT NULL
      UNION ALL
      SELECT 'run_failed', r.document, 'warning',
             string_agg(format('the last %s failed (run %s): %s', r.kind, r.id,
                               coalesce(split_part(r.error, E'\\n', 1), 'no reason was given')), '; ' ORDER BY r.id),
             min(r.finished_at), true
        FROM ${s}.sync_run r
       WHERE r.state = 'failed' AND r.finished_at > clock_timestamp() - interval '7 days'
         AND NOT EXISTS (SELECT FROM ${s}.sync_run later
                          WHERE later.document = r.document AND later.kind = r.kind AND later.id > r.id)
       GROUP BY r.document
      UNION ALL
      SELECT 'sending_paused', p.document, 'warning',
             string_agg(DISTINCT concat_ws(': ', p.index, p.reason), '; '), min(p.since),
             min(p.since) < clock_timestamp() - interval '1 minute'
        FROM ${s}.sync_workers w
       CROSS JOIN LATERAL jsonb_to_recordset(w.pauses) AS p (document text, index text, type text, reason text, since timestamptz)
       WHERE w.alive AND p.type <> 'waiting'
       GROUP BY p.document
      UNION ALL
      SELECT 'dead_letters', d.name, 'warning',
             format('%s cannot be indexed: sluice failed list %s',
                    CASE f.count WHEN 1 THEN '1 document' WHEN ${COUNTED + 1} THEN 'more than ${COUNTED} documents'
                                 ELSE f.count || ' documents' END, d.name), f.since, true
        FROM document d
       CROSS JOIN LATERAL (SELECT count(*) AS count, min(x.first_failed_at) AS since
                             FROM (SELECT first_failed_at FROM ${s}.sync_failed
                                    WHERE document = d.name AND state = 'dead' ORDER BY first_failed_at LIMIT ${COUNTED + 1}) x) f
       WHERE f.count > 0
      UNION ALL
      SELECT 'drift', v.document, 'warning',
             format('the last verify (run %s) left %s missing, %s stale, %s extra', v.id, v.missing, v.stale, v.extra),
             v.finished_at, true
        FROM (${lastDifferencesSql(s)}) v
       WHERE v.missing + v.stale + v.extra > $2
      UNION ALL
      SELECT 'backlog_old', d.name, 'warning', 'its oldest mark has waited since ' || to_char(q.oldest AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
             q.oldest + $1 * interval '1 millisecond', q.oldest < clock_timestamp() - $1 * interval '1 millisecond'
        FROM document d
       CROSS JOIN LATERAL (SELECT min(m.created_at) AS oldest FROM generate_series(0, 1) AS l (lane)
                            CROSS JOIN LATERAL (SELECT created_at FROM ${s}.sync_queue
                                                 WHERE document = d.name AND lane = l.lane ORDER BY id LIMIT 1) m) q
       WHERE d.state = 'active' AND q.oldest < clock_timestamp() - $1 * interval '1 millisecond' / 2
      UNION ALL
      SELECT 'no_worker', d.name, 'critical', 'no daemon works on it: sluice run', w.since,
             w.since < clock_timestamp() - interval '1 minute'
        FROM document d
       CROSS JOIN LATERAL (
         SELECT greatest(d.changed_at, max(x.seen_at)) AS since, coalesce(bool_or(x.alive), false) AS attended
           FROM ${s}.sync_workers x WHERE x.documents ->> d.name = d.hash) w
       WHERE d.state = 'active' AND NOT w.attended
    )
    SELECT name, document, severity, reason, since::text AS since, due FROM found ORDER BY name, document`
}
