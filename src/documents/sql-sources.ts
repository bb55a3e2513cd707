import { findTable, tableText } from '../catalog/table-name.ts'
import type { Catalog, ParsedQuery, QueryRead, Table, TableName } from '../catalog/types.ts'
import { ConfigError } from '../errors.ts'
import { planExpansion } from './expansion.ts'
import { keyCast } from './key-sql.ts'
import { type LinkPair, planPair } from './links.ts'
import { planTable } from './root-table.ts'
import { inOrder, planSource, rowKeyOf } from './source.ts'
import type { QueryRoot } from './sql-root.ts'
import type { SourcePlan } from './types.ts'

export interface SourcesInput {
  readonly document: string
  readonly dependsOn: Readonly<Record<string, string | readonly string[]>>
  readonly root: QueryRoot
  readonly query: ParsedQuery
  readonly catalog: Catalog
  /** Our schema. */
  readonly schema: string
}

/** What has to be watched: the root, where it is a table, and the tables of `dependsOn`. */
export function planQuerySources(input: SourcesInput): readonly SourcePlan[] {
  const { root, dependsOn, document } = input
  const sources: SourcePlan[] = root.isTable ? [rootSource(input)] : []
  for (const [text, columns] of Object.entries(dependsOn)) {
    const where = `documents.${document}.dependsOn[${JSON.stringify(text)}]`
    const source = planDependency(input, where, text, typeof columns === 'string' ? [columns] : columns)
    if (sources.some((known) => known.source === source.source)) {
      throw new ConfigError(`${tableText(source.table)} is there twice`, {
        where,
        remedy: 'Leave one of the two out.',
      })
    }
    if (!marksAsRoot(root, source)) sources.push(source)
  }
  return sources
}

function rootSource({ root, query, catalog }: SourcesInput): SourcePlan {
  const { table, key, id } = root
  return planSource(catalog, {
    source: '',
    table,
    key,
    rowKey: id,
    used: rootColumns(root, query),
    expansion: null,
  })
}

/** The root's columns that the query uses, and the key. */
export function rootColumns({ table, key }: QueryRoot, query: ParsedQuery): readonly string[] {
  const all = table.columns.map(({ name }) => name)
  return inOrder(table, [...(usedOf(table, query) ?? all), ...key.map(({ name }) => name)])
}

function planDependency(
  { document, root, query, catalog, schema }: SourcesInput,
  where: string,
  text: string,
  columns: readonly string[],
): SourcePlan {
  const table = planWatched(where, text, catalog, schema)
  if (columns.length !== root.id.length) {
    throw new ConfigError(
      `names ${columns.length} of ${tableText(table)}'s columns, and the id has ${root.id.length}: ${root.id.map(({ name }) => name).join(', ')}`,
      { where, remedy: 'Name a column for each part of the id, in the order of "id".' },
    )
  }
  const pairs = root.id.map((part, n) => planPair(root.table, part.name, table, columns[n] ?? '', where))
  const loose = pairs.find((pair) => !hasOneText(root.table, table, pair))
  if (loose !== undefined && !root.isTable) {
    throw new ConfigError(
      `${tableText(table)}.${loose.there} and ${tableText(root.table)}.${loose.here} may write equal values differently`,
      {
        where,
        remedy: `Cast the id in ${tableText(root.table)}: to bigint, to numeric with the scale of the column, or to text in one spelling.`,
      },
    )
  }
  const source = `${table.schema}.${table.name}`
  const row = { table: root.table, fields: [], where: undefined, whereColumns: [], relations: [] }
  // Named though it is not read, as far as Postgres knows: whatever the reason, any change of it counts.
  const used = isRead(table, query) ? usedOf(table, query) : null
  return planSource(catalog, {
    source,
    table,
    key: pairs.map(({ there, thereType }) => ({ name: there, type: keyCast(thereType) })),
    rowKey: rowKeyOf(table),
    used: used ?? table.columns.map(({ name }) => name),
    expansion: isLookedUp(root, pairs, loose)
      ? planExpansion({ schema, document, root: row, key: root.key }, source, [], pairs)
      : null,
  })
}

function planWatched(where: string, text: string, catalog: Catalog, schema: string): Table {
  const table = findTable(catalog, text)
  if (table?.kind === 'v') {
    throw new ConfigError(`${tableText(table)} is a view: its rows change without a statement on it`, {
      where,
      remedy: 'Name the tables that it reads, each with its column that holds the id of the document.',
    })
  }
  if (table?.kind === 'm') {
    throw new ConfigError(`${tableText(table)} is a materialized view: triggers cannot watch a REFRESH`, {
      where,
      remedy: `Leave it out, and run after each REFRESH: sluice backfill ${where.split('.')[1]}`,
    })
  }
  return planTable(where, text, catalog, schema)
}

/**
 * A mark of `dependsOn` is the key itself where that is sure to be the same text: then a row of a view that is gone is
 * looked for all the same. Where equal values may be written differently (under a collation that ignores case, too),
 * and where the key has an address, it is looked up in the root table.
 */
function isLookedUp(root: QueryRoot, pairs: readonly LinkPair[], loose: LinkPair | undefined): boolean {
  return (
    root.isTable &&
    (root.key.length > root.id.length ||
      loose !== undefined ||
      pairs.some(({ thereType }) => collated.has(thereType.name)))
  )
}

const collated: ReadonlySet<string> = new Set(['bpchar', 'text', 'varchar'])

/** `1.0` and `1.00` are equal, unless both columns have the same scale; so are `a` and `A` as citext. */
function hasOneText(root: Table, table: Table, { here, there, thereType }: LinkPair): boolean {
  if (thereType.name === 'citext') return false
  if (thereType.name !== 'numeric') return true
  const scale = scaleOf(table, there)
  return scale !== null && scale === scaleOf(root, here)
}

function scaleOf(table: Table, name: string): string | null {
  const type = table.columns.find((column) => column.name === name)?.type ?? ''
  const [declared, scale = '0'] = /^numeric\(\d+(?:,(-?\d+))?\)$/.exec(type) ?? []
  return declared === undefined ? null : scale
}

/** Columns that the query uses of a table, of its partitions where it names those; null: of its rows as a whole. */
export function usedOf(table: Table, query: ParsedQuery): readonly string[] | null {
  if (query.opaque.length > 0) return null
  const lists = readsOf(table, query).map(({ columns }) => columns)
  return lists.includes(null) ? null : lists.flatMap((columns) => columns ?? [])
}

export function isRead(table: Table, query: ParsedQuery): boolean {
  return readsOf(table, query).length > 0
}

function readsOf(table: Table, { reads }: ParsedQuery): readonly QueryRead[] {
  const own = [table, ...table.leaves]
  return reads.filter((one) => own.some((name) => sameTable(name, one)))
}

export function sameTable(one: TableName, other: TableName): boolean {
  return one.schema === other.schema && one.name === other.name
}

/** `dependsOn` that says what is so anyway: the root table, by its id. */
function marksAsRoot(root: QueryRoot, { table, key }: SourcePlan): boolean {
  return root.isTable && sameTable(root.table, table) && key.every(({ name }, n) => name === root.id[n]?.name)
}
