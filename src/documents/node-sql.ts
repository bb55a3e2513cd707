import { quoteIdentifier } from '../catalog/quote.ts'
import type { DocumentNode } from './compute.ts'

/** What stands for the values and relations of a row. */
export interface Leaves {
  readonly value: (n: number) => string
  readonly relation: (n: number) => string
}

/**
 * row_to_json over a row of its own. Loads of 1,000 keys of a 760-byte row with 15 columns, text passed through to
 * Node, medians of 100 interleaved rounds, PG 15 / PG 18: this 9.5 / 12.3 ms; row_to_json of a LATERAL row 9.2 / 12.0,
 * but a snippet's columns would be ambiguous beside it; to_json() of each value concatenated 9.5 / 14.2;
 * json_build_object 10.4 / 14.5, with 5 % more bytes and 50 fields at most; jsonb_build_object 12.5 / 17.7.
 * The whole view, dates independent of the session and `problem` included, 9.8 / 12.4 ms; a bare row_to_json(city),
 * which has neither, 8.6 / 11.2. (`o.*`, for a bare `o` would mean a column of that name.)
 */
export function nodeSql(node: DocumentNode, leaves: Leaves): string {
  switch (node.kind) {
    case 'value':
      return leaves.value(node.value)
    case 'relation':
      return leaves.relation(node.relation)
    case 'object': {
      const values = [...node.fields].map(
        ([name, inner]) => [nodeSql(inner, leaves), quoteIdentifier(name)] as const,
      )
      const columns = values.map(([sql, name]) => `${sql} AS ${name}`).join(', ')
      const object = `(SELECT pg_catalog.row_to_json(o.*) FROM (SELECT ${columns}) AS o)`
      if (!node.whole) return object
      const present = values.map(([sql]) => `${sql} IS NOT NULL`).join(' AND ')
      return `CASE WHEN ${present} THEN ${object} END`
    }
  }
}
