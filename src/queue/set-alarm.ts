import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Sets what an operator has to look at. The same alarm again writes nothing, and returns false. Rides the primary key. */
export async function setAlarm(
  db: Queryable,
  schema: string,
  document: string,
  alarm: string,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_document SET alarm = $2 WHERE name = $1 AND alarm IS DISTINCT FROM $2`,
    [document, alarm],
  )
  return rowCount === 1
}

/**
 * Clears an alarm that is over, and returns true for the one who did; another one that was set meanwhile stays. What the
 * mass-delete brake has to say is shown again.
 */
export async function clearAlarm(
  db: Queryable,
  schema: string,
  document: string,
  alarm: string,
): Promise<boolean> {
  const s = escapeIdentifier(schema)
  const { rowCount } = await db.query(
    `UPDATE ${s}.sync_document SET alarm = ${s}.brake_alarm(name) WHERE name = $1 AND alarm = $2`,
    [document, alarm],
  )
  return rowCount === 1
}
