import { quoteTable } from '../catalog/quote.ts'
import type { KeyColumn } from './types.ts'

/**
 * Query for the current documents of some keys; `DocumentPlan.loadSql`. The join is on the typed key columns, so that
 * it rides the primary key: 1,000 keys out of 171,075 rows are a nested loop over it, 10 ms of a 760-byte row. The
 * arrays come as parameters of a statement without a name, so that the planner sees how many keys they hold.
 */
export function loadSql(schema: string, view: string, key: readonly KeyColumn[]): string {
  const names = key.map((_, n) => `key_${n + 1}`)
  const arrays = key.map(({ type }, n) => `$${n + 1}::${type}[]`).join(', ')
  return [
    'SELECT k.n, v.key, v.document, v.problem',
    `FROM unnest(${arrays}) WITH ORDINALITY AS k (${names.join(', ')}, n)`,
    `JOIN ${quoteTable({ schema, name: view })} AS v ON ${names.map((name) => `v.${name} = k.${name}`).join(' AND ')}`,
  ].join('\n')
}
