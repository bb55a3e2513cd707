import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Sets or clears what an operator has to look at. Said once: the same alarm again writes nothing. Rides the primary key. */
export async function setAlarm(
  db: Queryable,
  schema: string,
  document: string,
  alarm: string | null,
): Promise<void> {
  await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_document SET alarm = $2 WHERE name = $1 AND alarm IS DISTINCT FROM $2`,
    [document, alarm],
  )
}
