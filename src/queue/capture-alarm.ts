import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** How the alarms begin that say that something goes by without a mark. */
export const CAPTURE_ALARM = 'goes by without a mark: '

export function captureAlarm(gaps: readonly string[]): string {
  return CAPTURE_ALARM + gaps.join('; ')
}

/** Whether an alarm says that changes went by, so that all documents have to be looked at when that is over. */
export function isCaptureAlarm(alarm: string | null): alarm is string {
  return alarm?.startsWith(CAPTURE_ALARM) === true
}

/**
 * Sets such an alarm where none of another kind stands: what others say is not said again by them when it was overwritten,
 * and this is looked for again and again. The same alarm again writes nothing, and returns false. Rides the primary key.
 */
export async function setCaptureAlarm(
  db: Queryable,
  schema: string,
  document: string,
  alarm: string,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_document SET alarm = $2
      WHERE name = $1 AND alarm IS DISTINCT FROM $2 AND (alarm IS NULL OR starts_with(alarm, $3))`,
    [document, alarm, CAPTURE_ALARM],
  )
  return rowCount === 1
}
