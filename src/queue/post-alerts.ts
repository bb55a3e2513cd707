import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { AlertSeverity } from './read-conditions.ts'

/** One piece of news, taken by this daemon for a minute. */
export interface DuePost {
  /** bigint as text. */
  readonly id: string
  readonly state: 'raised' | 'cleared'
  readonly name: string
  readonly document: string | null
  readonly severity: AlertSeverity
  readonly reason: string
  /** UTC, ISO 8601. */
  readonly since: string
  readonly raisedAt: string
  /** Null of what is raised, also where it has been cleared meanwhile: that is the next piece of news. */
  readonly clearedAt: string | null
  /** By which the daemon shows that it is still its own. */
  readonly lease: string
}

const utc = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/**
 * Takes the oldest piece of news that is due: longer than a post may take, so that one whose daemon dies comes again, and
 * none is posted by two. What was raised comes before what was cleared. Rides sync_alert_unposted.
 */
export async function takeDuePost(db: Queryable, schema: string): Promise<DuePost | null> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<DuePost>(
    `UPDATE ${s}.sync_alert a SET post_after = clock_timestamp() + interval '1 minute'
      WHERE a.id = (SELECT c.id FROM ${s}.sync_alert c
                     WHERE c.notify AND (c.raise_posted_at IS NULL OR c.cleared_at IS NOT NULL AND c.clear_posted_at IS NULL)
                       AND c.post_after <= clock_timestamp()
                     ORDER BY c.id LIMIT 1 FOR UPDATE SKIP LOCKED)
     RETURNING a.id::text AS id, CASE WHEN a.raise_posted_at IS NULL THEN 'raised' ELSE 'cleared' END AS state,
               a.name, a.document, a.severity, a.reason, ${utc('a.since')} AS since, ${utc('a.raised_at')} AS "raisedAt",
               CASE WHEN a.raise_posted_at IS NOT NULL THEN ${utc('a.cleared_at')} END AS "clearedAt",
               a.post_after::text AS lease`,
  )
  return rows[0] ?? null
}

/** The webhook has it. The next piece of news of this alert is due at once. */
export async function notePosted(
  db: Queryable,
  schema: string,
  { id, state, lease }: DuePost,
): Promise<void> {
  const column = state === 'raised' ? 'raise_posted_at' : 'clear_posted_at'
  await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_alert
        SET ${column} = clock_timestamp(), post_after = clock_timestamp(), post_attempts = 0
      WHERE id = $1 AND post_after::text = $2`,
    [id, lease],
  )
}

/** The webhook did not take it: again after one, two, four … seconds, at most five minutes. */
export async function postponePost(db: Queryable, schema: string, { id, lease }: DuePost): Promise<void> {
  await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_alert
        SET post_attempts = post_attempts + 1,
            post_after = clock_timestamp() + least(2 ^ least(post_attempts, 16), 300) * interval '1 second'
      WHERE id = $1 AND post_after::text = $2`,
    [id, lease],
  )
}
