import type { Catalog, Table } from '../catalog/types.ts'
import { type ExpansionInput, planExpansion, type Step, stepsOf } from './expansion.ts'
import { keyCast, keyTypeProblem } from './key-sql.ts'
import type { LinkPair } from './links.ts'
import type { PlannedRelation, PlannedRow } from './rows.ts'
import type { KeyColumn, SourcePlan } from './types.ts'

/** Columns that a row is made of, in the table's order: its fields, its condition, what its relations look down from. */
export function usedColumns({ table, fields, whereColumns, relations }: PlannedRow): readonly string[] {
  const downs = relations.flatMap(({ through, on }) => (through ?? { on }).on.map(({ here }) => here))
  return inOrder(table, [...fields.flatMap(({ columns }) => columns), ...whereColumns, ...downs])
}

export interface SourcesInput extends ExpansionInput {
  readonly catalog: Catalog
  /** The leading parts of `key` that tell the root's rows apart. */
  readonly id: readonly KeyColumn[]
}

/** Every part that a table has in the document, the root table first. */
export function planSources(input: SourcesInput): readonly SourcePlan[] {
  const { root, key, id, catalog } = input
  const first = planSource(catalog, {
    source: '',
    table: root.table,
    key,
    rowKey: id,
    used: usedColumns(root),
    expansion: null,
  })
  return [first, ...relatedSources(input, root, [])]
}

/** @param above the way from the root to the row that holds the relations */
function relatedSources(input: SourcesInput, row: PlannedRow, above: readonly Step[]): SourcePlan[] {
  return row.relations.flatMap((relation) => {
    const steps = stepsOf(relation)
    const between = steps.slice(0, -1)
    const used = [...usedColumns(relation.row), ...relation.order.map(({ column }) => column)]
    return [
      linkedSource(input, relation.path, relation.row.table, relation.on, [...above, ...between], used),
      ...throughSource(input, relation, above),
      ...relatedSources(input, relation.row, [...above, ...steps]),
    ]
  })
}

function throughSource(
  input: SourcesInput,
  { path, through, on }: PlannedRelation,
  above: readonly Step[],
): SourcePlan[] {
  if (through === null) return []
  const used = on.map(({ here }) => here)
  return [linkedSource(input, `${path}:through`, through.table, through.on, above, used)]
}

function linkedSource(
  input: SourcesInput,
  source: string,
  table: Table,
  pairs: readonly LinkPair[],
  above: readonly Step[],
  used: readonly string[],
): SourcePlan {
  const key = pairs.map(({ there, thereType }) => ({ name: there, type: keyCast(thereType) }))
  return planSource(input.catalog, {
    source,
    table,
    key,
    rowKey: rowKeyOf(table),
    used,
    expansion: planExpansion(input, source, above, pairs),
  })
}

/** The primary key, or else another one; of columns whose text is the same in every session. */
export function rowKeyOf(table: Table): readonly KeyColumn[] {
  for (const names of table.uniqueKeys) {
    const columns = table.columns.filter(({ name }) => names.includes(name))
    if (columns.some(({ baseType }) => keyTypeProblem(baseType) !== null)) continue
    return columns.map(({ name, baseType }) => ({ name, type: keyCast(baseType) }))
  }
  return []
}

interface SourceInput extends Pick<SourcePlan, 'source' | 'key' | 'rowKey' | 'expansion'> {
  readonly table: Table
  readonly used: readonly string[]
}

/**
 * Virtual generated columns are NULL in transition tables (PG 18): the columns they are computed from are watched
 * instead. A generated column that is left out needs no comparison, for it changes with the columns it is made of.
 */
export function planSource(catalog: Catalog, input: SourceInput): SourcePlan {
  const { source, table, key, rowKey, used, expansion } = input
  const named = new Set([...used, ...key.map(({ name }) => name), ...rowKey.map(({ name }) => name)])
  const watched = table.columns
    .filter(({ name }) => named.has(name))
    .flatMap((column) => (column.generated === 'virtual' ? column.generatedFrom : [column.name]))
  const always = table.subscribed || table.leaves.some((leaf) => catalog.table(leaf)?.subscribed === true)
  return {
    source,
    table: { schema: table.schema, name: table.name },
    key,
    rowKey,
    expansion,
    usedColumns: inOrder(table, watched),
    // Rows that nothing tells apart cannot be paired: each change counts.
    compare:
      rowKey.length > 0 &&
      table.columns.some(({ name, generated }) => generated === 'no' && !watched.includes(name)),
    capture: table.kind === 'p' || always ? 'row' : 'statement',
    always,
    leaves: table.leaves,
  }
}

/** Distinct columns in the table's order. */
export function inOrder(table: Table, columns: readonly string[]): readonly string[] {
  return table.columns.map(({ name }) => name).filter((name) => columns.includes(name))
}
