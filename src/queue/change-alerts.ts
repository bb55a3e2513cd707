import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { AlertSeverity, Condition } from './read-conditions.ts'

/** An alert that has been raised and not cleared. */
export interface StandingAlert {
  /** bigint as text. */
  readonly id: string
  readonly name: string
  readonly document: string | null
  readonly severity: AlertSeverity
  readonly reason: string
}

/** Rides sync_alert_one_open, which holds nothing else. */
export async function readStanding(db: Queryable, schema: string): Promise<readonly StandingAlert[]> {
  const { rows } = await db.query<StandingAlert>(
    `SELECT id::text AS id, name, document, severity, reason
       FROM ${escapeIdentifier(schema)}.sync_alert WHERE cleared_at IS NULL`,
  )
  return rows
}

/**
 * Waits until nobody else changes alerts, until the end of the transaction. Only by what is read after this may be
 * decided: of many daemons that see a condition one raises it, and none that saw it earlier raises it again.
 */
export async function lockAlerts(db: Queryable, schema: string): Promise<void> {
  await db.query(`SELECT pg_advisory_xact_lock(731058394, hashtext($1::regclass::oid::text))`, [
    `${escapeIdentifier(schema)}.sync_alert`,
  ])
}

export async function raiseAlert(
  db: Queryable,
  schema: string,
  { name, document, severity, reason, since }: Condition,
  notify: boolean,
): Promise<void> {
  await db.query(
    `INSERT INTO ${escapeIdentifier(schema)}.sync_alert (name, document, severity, reason, since, notify)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [name, document, severity, reason, since, notify],
  )
}

/** What is said of an alert that stands; nobody is told anew. */
export async function rewordAlert(
  db: Queryable,
  schema: string,
  { id, severity, reason }: Pick<StandingAlert, 'id' | 'severity' | 'reason'>,
): Promise<void> {
  await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_alert SET severity = $2, reason = $3 WHERE id = $1`,
    [id, severity, reason],
  )
}

export async function clearAlert(db: Queryable, schema: string, id: string): Promise<void> {
  await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_alert SET cleared_at = clock_timestamp() WHERE id = $1 AND cleared_at IS NULL`,
    [id],
  )
}
