import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { AlertName, AlertSeverity } from './read-conditions.ts'

/** A condition that lasts. */
export interface Alert {
  readonly name: AlertName
  /** Null: it is about everything. */
  readonly document: string | null
  readonly severity: AlertSeverity
  /** UTC, ISO 8601. */
  readonly since: string
  readonly reason: string
}

/** Alerts that stand, critical ones first. Reads the view sync_alerts, so that a reader may. */
export async function readAlerts(db: Queryable, schema: string): Promise<readonly Alert[]> {
  const { rows } = await db.query<Alert>(
    `SELECT name, document, severity, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS since, reason
       FROM ${escapeIdentifier(schema)}.sync_alerts ORDER BY severity, name, document`,
  )
  return rows
}
