import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** A time in which nobody worked on a document. */
export interface Gap {
  readonly document: string
  readonly reason: string
}

/**
 * Writes down that no daemon has worked on a document for a minute and more, as a `no_worker` that was raised and is over:
 * while it lasted there was nobody to raise it. For a daemon that starts, before its first heartbeat, under `lockAlerts`: of
 * several that start one does. Not of a document on which none has ever worked, nor of a gap that an alert tells already.
 * Reads tables of a few rows.
 *
 * @param documents name → hash of those that the daemon has in its configuration; with another hash a gap goes on
 * @param notify whether there is a webhook
 */
export async function noteGaps(
  db: Queryable,
  schema: string,
  documents: Readonly<Record<string, string>>,
  notify: boolean,
): Promise<readonly Gap[]> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<Gap>(
    `INSERT INTO ${s}.sync_alert (name, document, severity, reason, since, cleared_at, notify)
     SELECT 'no_worker', d.name, 'critical',
            format('no daemon worked on it from %s to %s', ${utc('w.since')}, ${utc('clock_timestamp()')}), w.since, clock_timestamp(), $2
       FROM ${s}.sync_document d
      CROSS JOIN LATERAL (
        SELECT greatest(d.changed_at, max(x.seen_at) FILTER (WHERE x.documents ->> d.name = d.hash)) AS since,
               coalesce(bool_or(x.alive) FILTER (WHERE x.documents ->> d.name = d.hash), false) AS attended, count(*) > 0 AS known
          FROM ${s}.sync_workers x WHERE x.documents ? d.name) w
      WHERE d.state = 'active' AND $1::jsonb ->> d.name = d.hash
        AND w.known AND NOT w.attended AND w.since < clock_timestamp() - interval '1 minute'
        AND NOT EXISTS (SELECT FROM ${s}.sync_alert a
                         WHERE a.name = 'no_worker' AND a.document = d.name AND (a.cleared_at IS NULL OR a.since >= w.since))
     RETURNING document, reason`,
    [JSON.stringify(documents), notify],
  )
  return rows
}

const utc = (moment: string) => `to_char(${moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')`
