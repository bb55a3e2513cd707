import type { Table } from '../catalog/types.ts'
import type { Field } from './fields.ts'
import type { KeyColumn, SourcePlan } from './types.ts'

/** Columns that a document is made of, in the table's order: its key, its fields, its condition. */
export function usedColumns(
  table: Table,
  key: readonly KeyColumn[],
  fields: readonly Field[],
  condition: readonly string[],
): readonly string[] {
  const used = new Set([
    ...key.map(({ name }) => name),
    ...fields.flatMap(({ columns }) => columns),
    ...condition,
  ])
  return table.columns.map(({ name }) => name).filter((name) => used.has(name))
}

/**
 * Virtual generated columns are NULL in transition tables (PG 18): the columns they are computed from are watched
 * instead. A generated column that is left out needs no comparison, for it changes with the columns it is made of.
 */
export function planSource(table: Table, key: readonly KeyColumn[], used: readonly string[]): SourcePlan {
  const watched = new Set(
    table.columns
      .filter(({ name }) => used.includes(name))
      .flatMap((column) => (column.generated === 'virtual' ? column.generatedFrom : [column.name])),
  )
  return {
    source: '',
    table: { schema: table.schema, name: table.name },
    key,
    rowKey: key,
    expansion: null,
    usedColumns: table.columns.map(({ name }) => name).filter((name) => watched.has(name)),
    compare: table.columns.some(({ name, generated }) => generated === 'no' && !watched.has(name)),
    capture: table.kind === 'p' ? 'row' : 'statement',
    always: false,
    leaves: table.leaves,
  }
}
