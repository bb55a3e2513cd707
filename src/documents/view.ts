import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import type { ComputedRow } from './compute.ts'
import { keyExpression } from './key-sql.ts'
import { rowSql } from './row-sql.ts'
import { columnSql, type NamedSql, rowAlias } from './table-sql.ts'
import type { KeyColumn } from './types.ts'

export interface ViewInput {
  readonly schema: string
  readonly view: string
  readonly key: readonly KeyColumn[]
  readonly document: ComputedRow
}

/**
 * The view that computes a document. A view follows renamed columns and tables, Postgres refuses to drop what it
 * uses, and the names in it are frozen as they were at install.
 */
export function viewSql({ schema, view, key, document }: ViewInput): string {
  const { table } = document.row
  const row = rowAlias(0)
  const parts = key.map(({ name }, n): NamedSql => [columnSql(table, name), `sluice_key_${n + 1}`])
  const whole: NamedSql = [keyExpression(key, quoteIdentifier(table.name)), 'sluice_key']
  const sql = rowSql(document, 0)
  return [
    `CREATE VIEW ${quoteTable({ schema, name: view })} AS`,
    'SELECT',
    [
      ...parts.map(([, name], n) => `  ${row}.${name} AS key_${n + 1}`),
      `  ${row}.sluice_key AS key`,
      `  ${sql.document}::text AS document`,
      `  ${sql.problem ?? 'NULL::text'} AS problem`,
    ].join(',\n'),
    `FROM (${sql.base([...parts, whole])}) AS ${row}${sql.lateral}`,
  ].join('\n')
}
