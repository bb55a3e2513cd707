import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** What an operator does to a document: functions of the database, so that a grant of them is enough. */

/** Stops indexing a document. @param reason null: the function's own, who paused it */
export async function pauseByOperator(
  db: Queryable,
  schema: string,
  document: string,
  reason: string | null,
): Promise<void> {
  await db.query(`SELECT ${escapeIdentifier(schema)}.pause($1, $2)`, [document, reason])
}

/**
 * Goes on with a document, and looks again at the deletes that the mass-delete brake holds back; with `deletes` these are
 * confirmed. Returns how many they are.
 */
export async function resumeByOperator(
  db: Queryable,
  schema: string,
  document: string,
  deletes: boolean,
): Promise<number> {
  const { rows } = await db.query<{ released: number }>(
    `SELECT ${escapeIdentifier(schema)}.resume($1, $2)::float8 AS released`,
    [document, deletes],
  )
  return rows[0]?.released ?? 0
}
