import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import type { TableName } from '../catalog/types.ts'
import { keyExpression } from './key-sql.ts'
import type { KeyColumn } from './types.ts'

/**
 * Query for the current documents of some keys; `DocumentPlan.loadSql`. The join is on the typed key columns, so that
 * it rides the primary key: 1,000 keys out of 171,075 rows are a nested loop over it, 10 ms of a 760-byte row. The
 * arrays come as parameters of a statement without a name, so that the planner sees how many keys they hold.
 *
 * @param id the leading parts of the key, which make the `_id`; the rest is its address, and found as it is now
 */
export function loadSql(schema: string, view: string, id: readonly KeyColumn[]): string {
  const names = id.map((_, n) => `key_${n + 1}`)
  const arrays = id.map(({ type }, n) => `$${n + 1}::${type}[]`).join(', ')
  return [
    'SELECT k.n, v.key, v.document, v.problem',
    `FROM unnest(${arrays}) WITH ORDINALITY AS k (${names.join(', ')}, n)`,
    `JOIN ${quoteTable({ schema, name: view })} AS v ON ${names.map((name) => `v.${name} = k.${name}`).join(' AND ')}`,
  ].join('\n')
}

/**
 * Query of the same shape for the rows of the root table, whether they have a document or not; the document is empty.
 * It names the columns as they were at install, and fails with class 42 when one has been renamed since.
 */
export function rowSql(table: TableName, key: readonly KeyColumn[], idParts = key.length): string {
  const id = key.slice(0, idParts)
  const names = id.map((_, n) => `key_${n + 1}`)
  const arrays = id.map(({ type }, n) => `$${n + 1}::${type}[]`).join(', ')
  const same = id.map(({ name }, n) => `r.${quoteIdentifier(name)} = k.key_${n + 1}`)
  return [
    `SELECT k.n, ${keyExpression(key, 'r')}, '', NULL`,
    `FROM unnest(${arrays}) WITH ORDINALITY AS k (${names.join(', ')}, n)`,
    `JOIN ${quoteTable(table)} AS r ON ${same.join(' AND ')}`,
  ].join('\n')
}
