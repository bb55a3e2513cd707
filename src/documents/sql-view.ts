import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import { keyExpression } from './key-sql.ts'
import type { QueryRoot } from './sql-root.ts'

/**
 * The view that tells which keys there are, of a document that a query makes: walks and verify ask for no more, and the
 * documents come from the query's function. A view's ids are made distinct, and what is null is none.
 */
export function keysViewSql(schema: string, view: string, { table, key, isTable }: QueryRoot): string {
  const row = quoteIdentifier(table.name)
  const columns = key.map(({ name }) => `${row}.${quoteIdentifier(name)}`)
  const from = isTable
    ? quoteTable(table)
    : `(SELECT DISTINCT ${columns.join(', ')} FROM ${quoteTable(table)} WHERE ${columns
        .map((column) => `${column} IS NOT NULL`)
        .join(' AND ')}) AS ${row}`
  return [
    `CREATE VIEW ${quoteTable({ schema, name: view })} AS`,
    'SELECT',
    [
      ...columns.map((column, n) => `  ${column} AS key_${n + 1}`),
      `  ${keyExpression(key, row)} AS key`,
      '  NULL::text AS document',
      '  NULL::text AS problem',
    ].join(',\n'),
    `FROM ${from}`,
  ].join('\n')
}
