import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import { keyExpression } from './key-sql.ts'
import { type LinkPair, linkCast } from './links.ts'
import { linksName } from './names.ts'
import type { PlannedRelation, PlannedRow } from './rows.ts'
import { linkedSql, linksDown, linksUp, type NamedSql, rowAlias, selectOf } from './table-sql.ts'
import type { ExpansionPlan, KeyColumn } from './types.ts'

export interface ExpansionInput {
  readonly schema: string
  readonly document: string
  readonly root: PlannedRow
  /** The root's key tuple. */
  readonly key: readonly KeyColumn[]
}

/**
 * From the values that a table's marks carry to the documents: the tables above it, joined from the root down.
 *
 * Of the root's rows only those that have a document. The conditions of relations are left out, for a row that stops
 * matching must still find its document.
 *
 * @param above the tables above, from the root's relation down: what each is linked by to the one before
 * @param pairs what links the table itself to the last of them
 */
export function planExpansion(
  { schema, document, root, key }: ExpansionInput,
  source: string,
  above: readonly Step[],
  pairs: readonly LinkPair[],
): ExpansionPlan {
  const view = linksName(document, source)
  // What each row on the way looks down from.
  const downs = [...above.map(({ pairs: up }) => up), pairs]
  const whole: NamedSql = [keyExpression(key, quoteIdentifier(root.table.name)), 'sluice_key']
  const items = [
    `(${selectOf(root.table, [whole, ...linksDown(root.table, downs[0] ?? [], 0)], root.where)}) AS ${rowAlias(0)}`,
    ...above.map(({ table, pairs: up }, n) => {
      const rows = selectOf(table, [...linksUp(table, up), ...linksDown(table, downs[n + 1] ?? [], 0)])
      return `JOIN (${rows}) AS ${rowAlias(n + 1)} ON ${linkedSql(up, rowAlias(n + 1), rowAlias(n), 0)}`
    }),
  ]
  const last = rowAlias(above.length)
  return {
    view,
    viewSql: [
      `CREATE VIEW ${quoteTable({ schema, name: view })} AS`,
      `SELECT ${pairs.map((_, n) => `${last}.sluice_down_1_${n + 1} AS link_${n + 1}, `).join('')}${rowAlias(0)}.sluice_key AS key`,
      `FROM ${items.join('\n')}`,
    ].join('\n'),
    links: pairs.map(linkCast),
  }
}

/** A table on the way from the root. */
export interface Step {
  readonly table: PlannedRow['table']
  readonly pairs: readonly LinkPair[]
}

/** The steps that a relation adds to the way. */
export function stepsOf({ through, on, row }: PlannedRelation): readonly Step[] {
  const target = { table: row.table, pairs: on }
  return through === null ? [target] : [{ table: through.table, pairs: through.on }, target]
}
