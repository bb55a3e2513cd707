import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Clears the alarm about an alias that was moved, if there is one. What the mass-delete brake has to say is shown again. */
export async function clearAliasAlarm(db: Queryable, schema: string, document: string): Promise<void> {
  const s = escapeIdentifier(schema)
  await db.query(
    `UPDATE ${s}.sync_document SET alarm = ${s}.brake_alarm(name)
      WHERE name = $1 AND alarm LIKE 'alias % does not point to %'`,
    [document],
  )
}
