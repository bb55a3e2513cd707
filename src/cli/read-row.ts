import type pg from 'pg'
import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import { keyExpression } from '../documents/key-sql.ts'
import type { DocumentKey, DocumentPlan } from '../documents/types.ts'
import { sqlState } from '../postgres/connect.ts'
import { readConditions } from '../postgres/read-settings.ts'
import { rollback } from '../postgres/transaction.ts'

/**
 * The root row of a key as JSON text, null when there is none. Only the columns that the document is made of: what it
 * leaves out may be a secret. Undefined where a column or the table was renamed since install; the plan names the old.
 */
export async function readRow(
  client: pg.PoolClient,
  { table, key, idParts, columns }: DocumentPlan,
  { key: text, parts }: DocumentKey,
): Promise<string | null | undefined> {
  const shown = columns.used.map((name) => `t.${quoteIdentifier(name)}`).join(', ')
  const matches = key
    .slice(0, idParts)
    .map(({ name, type }, n) => `t.${quoteIdentifier(name)} = $${n + 1}::${type}`)
  try {
    await client.query(`BEGIN READ ONLY; ${readConditions}`)
    const { rows } = await client.query<{ row: string }>(
      `SELECT (SELECT row_to_json(r) FROM (SELECT ${shown}) AS r)::text AS row
         FROM ${quoteTable(table)} AS t
        WHERE ${matches.join(' AND ')} AND ${keyExpression(key, 't')} = $${idParts + 1}`,
      [...parts.slice(0, idParts), text],
    )
    return rows[0]?.row ?? null
  } catch (error) {
    if (sqlState(error) === '42703' || sqlState(error) === '42P01') return undefined
    throw error
  } finally {
    await rollback(client)
  }
}

/** Why a key has no document, by its row. */
export function absence(row: string | null | undefined, { query }: Pick<DocumentPlan, 'query'>): string {
  if (row === null) return 'no row has this key'
  const filter = query === undefined ? 'the condition ("where")' : 'the query ("sql")'
  return row === undefined
    ? `no row has this key, or ${filter} leaves it out`
    : `${filter} leaves its row out`
}
