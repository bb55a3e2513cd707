import { quoteIdentifier } from '../catalog/quote.ts'
import type { Queryable } from '../postgres/types.ts'

/** The emergency switch: drops the document's triggers, functions and views in one statement. Returns how many triggers. */
export async function detach(db: Queryable, schema: string, document: string): Promise<number> {
  const { rows } = await db.query<{ dropped: number }>(
    `SELECT ${quoteIdentifier(schema)}.detach($1) AS dropped`,
    [document],
  )
  return rows[0]?.dropped ?? 0
}
