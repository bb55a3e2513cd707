import { readableIdentifier } from '../catalog/quote.ts'
import { tableText } from '../catalog/table-name.ts'
import type { Catalog, Table } from '../catalog/types.ts'
import { stepsOf } from './expansion.ts'
import type { PlannedRelation, PlannedRow } from './rows.ts'
import type { MissingIndex } from './types.ts'

/** A missing index, and the config path of the relation that needs it. */
export interface MissingLink extends MissingIndex {
  readonly at: string
}

/**
 * Indexes that loading needs, from a row down to what belongs to it, and those that expansion needs, from a changed
 * row up to what it belongs to.
 */
export function missingIndexes(catalog: Catalog, document: string, root: PlannedRow): readonly MissingLink[] {
  const missing = new Map<string, MissingLink>()
  const need = (at: string, table: Table, columns: readonly string[], why: string) => {
    if (isIndexed(catalog, table, columns)) return
    const sql = createIndex(table, columns)
    if (missing.has(sql)) return
    const { schema, name } = table
    missing.set(sql, { at, table: { schema, name }, columns, why, sql })
  }
  for (const { relation, here } of relationsOf(root)) {
    let above = here
    for (const { table, pairs } of stepsOf(relation)) {
      const down = pairs.map((pair) => pair.there)
      const up = pairs.map((pair) => pair.here)
      need(relation.at, table, down, `each load of ${document} documents`)
      need(relation.at, above, up, `each change of ${tableText(table)}`)
      above = table
    }
  }
  return [...missing.values()]
}

interface RelationOf {
  readonly relation: PlannedRelation
  /** The table that the relation belongs to. */
  readonly here: Table
}

/** All relations of a row, at any depth. */
function relationsOf({ table, relations }: PlannedRow): RelationOf[] {
  return relations.flatMap((relation) => [{ relation, here: table }, ...relationsOf(relation.row)])
}

/** A partitioned table may have its indexes on each of its partitions alone. */
function isIndexed(catalog: Catalog, table: Table, columns: readonly string[]): boolean {
  if (leads(table, columns)) return true
  const leaves = table.leaves.map((leaf) => catalog.table(leaf))
  return leaves.length > 0 && leaves.every((leaf) => leaf !== undefined && leads(leaf, columns))
}

/** An index that begins with just these columns, in any order; or one of a few of them that leaves one row at most. */
function leads({ indexes }: Table, columns: readonly string[]): boolean {
  return indexes.some((index) => {
    const first = index.columns.slice(0, columns.length)
    return (
      (index.unique && index.columns.every((column) => columns.includes(column))) ||
      columns.every((column) => first.includes(column))
    )
  })
}

/** Postgres builds none CONCURRENTLY on a partitioned table. */
function createIndex({ schema, name, kind }: Table, columns: readonly string[]): string {
  const table = [schema, name].map(readableIdentifier).join('.')
  const how = kind === 'p' ? '' : 'CONCURRENTLY '
  return `CREATE INDEX ${how}ON ${table} (${columns.map(readableIdentifier).join(', ')})`
}
