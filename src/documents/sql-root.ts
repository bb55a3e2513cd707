import { findTable, tableText } from '../catalog/table-name.ts'
import type { Catalog, Table } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { ConfigError } from '../errors.ts'
import { planAddress } from './address.ts'
import { columnOf } from './fields.ts'
import { type PlannedKey, planKey } from './key-columns.ts'
import { keyCast, keyTypeProblem } from './key-sql.ts'
import { planTable } from './root-table.ts'
import type { DocumentPlan, KeyColumn } from './types.ts'

/** Where the ids of a document that a query makes come from. */
export interface QueryRoot extends PlannedKey, Pick<DocumentPlan, 'address'> {
  /** The leading parts of the key, which make the `_id`: what the query gets and returns. */
  readonly id: readonly KeyColumn[]
  readonly table: Table
  /** A table, whose rows bring their own marks; a view has only those of `dependsOn`, and may say a thing twice. */
  readonly isTable: boolean
}

/** The root of a document with `sql`: a table as anywhere else, a view or a materialized view. */
export function planQueryRoot(
  name: string,
  definition: DocumentDefinition,
  catalog: Catalog,
  ownSchema: string,
): QueryRoot {
  const at = `documents.${name}`
  refuseOtherWays(at, definition)
  const table = findTable(catalog, definition.table)
  const isView = (table?.kind === 'v' || table?.kind === 'm') && table.schema !== ownSchema
  if (table !== undefined && isView) {
    refuseAddress(at, definition, table)
    const planned = planViewKey(`${at}.id`, definition.id ?? [], table)
    return { table, isTable: false, ...planned, id: planned.key, address: { tenant: null, routing: null } }
  }
  const known = planTable(`${at}.table`, definition.table, catalog, ownSchema)
  const { key: id, walkOrder } = planKey(name, definition, known)
  return { table: known, isTable: true, id, walkOrder, ...planAddress(at, definition, known, id) }
}

/** The query says all that a document is made of, but not which ids there are, nor what has to be watched. */
function refuseOtherWays(at: string, definition: DocumentDefinition): void {
  for (const key of ['fields', 'omit', 'relations', 'where'] as const) {
    if (definition[key] === undefined) continue
    throw new ConfigError('goes without "sql" only', {
      where: `${at}.${key}`,
      remedy: 'Put it into the query, or leave "sql" out.',
    })
  }
  if (definition.id === undefined) {
    throw new ConfigError('a document with "sql" needs "id"', {
      where: `${at}.id`,
      remedy:
        'State the columns of "table" that make the _id; the query gets arrays of them as $1, $2 … and returns them.',
    })
  }
  if (Object.keys(definition.dependsOn ?? {}).length === 0) {
    throw new ConfigError('a document with "sql" needs "dependsOn"', {
      where: `${at}.dependsOn`,
      remedy: "Name the tables that the query reads, each with its column that holds the document's id.",
    })
  }
}

/** SQL types of the query's parameters. */
export function queryParameters({ id }: Pick<QueryRoot, 'id'>): readonly string[] {
  return id.map(({ type }) => `${type}[]`)
}

/** Nothing says of a view's columns that they are unique or not null: what is null is no id, and a second one the same. */
function planViewKey(where: string, id: readonly string[], table: Table): PlannedKey {
  const columns = id.map((column) => columnOf(table, column, where))
  for (const { name, type, baseType } of columns) {
    const problem = keyTypeProblem(baseType)
    if (problem === null) continue
    throw new ConfigError(`${tableText(table)}.${name} is ${type}, which cannot be a key: ${problem}`, {
      where,
      remedy: 'Cast it in the view, or state other columns.',
    })
  }
  if (columns.length === 0 || new Set(id).size < id.length)
    throw new ConfigError('needs one or more different columns', { where })
  return {
    key: columns.map(({ name, baseType }) => ({ name, type: keyCast(baseType) })),
    walkOrder: columns.map((_, n) => n),
  }
}

/** A row of a view moves without a word of where it was: its document would stay there. */
function refuseAddress(at: string, { routing, tenant, index }: DocumentDefinition, table: Table): void {
  const kind = table.kind === 'm' ? 'materialized view' : 'view'
  const refuse = (key: string) =>
    new ConfigError(
      `a document of the ${kind} ${tableText(table)} cannot have an address: nothing tells where a row was before`,
      {
        where: `${at}.${key}`,
        remedy: 'Name a table as "table", which has the column; the query may read the view.',
      },
    )
  if (routing !== undefined) throw refuse('routing')
  if (tenant === undefined) return
  if (index.includes('{tenant}')) throw refuse('tenant')
  columnOf(table, tenant, `${at}.tenant`)
}
