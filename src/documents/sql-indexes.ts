import type { Catalog, ParsedQuery, Table } from '../catalog/types.ts'
import { createIndex, isIndexed, type MissingLink } from './missing-indexes.ts'
import type { QueryRoot } from './sql-root.ts'
import { usedOf } from './sql-sources.ts'
import type { SourcePlan } from './types.ts'

export interface IndexesInput {
  readonly document: string
  readonly root: QueryRoot
  readonly query: ParsedQuery
  readonly sources: readonly SourcePlan[]
  readonly catalog: Catalog
}

/**
 * Indexes that loading needs as far as can be told: by the id of a materialized view, and by the columns of `dependsOn`
 * where the query names them, for it is by those that it finds the rows of an id. What else the query needs it alone knows.
 */
export function queryMissingIndexes(input: IndexesInput): readonly MissingLink[] {
  const { document, root, query, sources, catalog } = input
  const at = `documents.${document}`
  const missing = (where: string, table: Table, columns: readonly string[]): MissingLink[] => {
    if (isIndexed(catalog, table, columns)) return []
    const { schema, name } = table
    const why = `each load of ${document} documents`
    return [{ at: where, table: { schema, name }, columns, why, sql: createIndex(table, columns) }]
  }
  const own =
    root.table.kind === 'm'
      ? missing(
          `${at}.table`,
          root.table,
          root.id.map(({ name }) => name),
        )
      : []
  const others = sources.flatMap(({ source, table: name, key }) => {
    const table = catalog.table(name)
    if (source === '' || table === undefined) return []
    const columns = key.map((column) => column.name)
    const used = usedOf(table, query)
    return columns.every((column) => used?.includes(column))
      ? missing(`${at}.dependsOn[${JSON.stringify(source)}]`, table, columns)
      : []
  })
  return [...own, ...others]
}
