import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Indices that a reindex under way is making: they are registered when they are there. */
export async function readNamedIndices(
  db: Queryable,
  schema: string,
  document: string,
): Promise<readonly string[]> {
  const { rows } = await db.query<{ name: string }>(
    `SELECT built.name
       FROM ${escapeIdentifier(schema)}.sync_run r,
            jsonb_to_recordset(r.cursor #> '{reindex,indices}') AS built (name text)
      WHERE r.document = $1 AND r.state IN ('requested', 'running', 'cancelling')`,
    [document],
  )
  return rows.map(({ name }) => name)
}
