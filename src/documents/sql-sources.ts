import { findTable, tableText } from '../catalog/table-name.ts'
import type { Catalog, ParsedQuery, QueryRead, Table, TableName } from '../catalog/types.ts'
import { ConfigError } from '../errors.ts'
import { columnOf } from './fields.ts'
import { keyCast, keyTypeProblem } from './key-sql.ts'
import { planTable } from './root-table.ts'
import { planSource } from './source.ts'
import { sameFamily } from './sql-fields.ts'
import type { QueryRoot } from './sql-root.ts'
import { idsExpansion } from './sql-view.ts'
import type { KeyColumn, SourcePlan } from './types.ts'

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
  const { root, query, dependsOn, document } = input
  const sources: SourcePlan[] = root.isTable
    ? [planSource(root.table, root.key, rootColumns(root, query))]
    : []
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

/** The root's columns that the query uses, and the key. */
export function rootColumns({ table, key }: QueryRoot, query: ParsedQuery): readonly string[] {
  const used = usedOf(table, query)
  return table.columns
    .map(({ name }) => name)
    .filter((name) => (used?.includes(name) ?? true) || key.some((part) => part.name === name))
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
  const link = columns.map((name, n) => linkColumn(where, table, name, root, n))
  const source = `${table.schema}.${table.name}`
  const rowKey = rowKeyOf(table)
  // Named though it is not read, as far as Postgres knows: whatever the reason, any change of it counts.
  const used = isRead(table, query) ? usedOf(table, query) : null
  const watched = table.columns
    .map(({ name }) => name)
    .filter(
      (name) => (used?.includes(name) ?? true) || [...link, ...rowKey].some((part) => part.name === name),
    )
  const planned = planSource(table, link, watched)
  return {
    ...planned,
    source,
    rowKey,
    expansion: needsExpansion(table, link, root) ? idsExpansion(schema, document, source, root) : null,
    compare: planned.compare && rowKey.length > 0,
  }
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

function linkColumn(where: string, table: Table, name: string, root: QueryRoot, part: number): KeyColumn {
  const column = columnOf(table, name, where)
  const refuse = (what: string, remedy: string) =>
    new ConfigError(`${tableText(table)}.${name} is ${what}`, { where, remedy })
  const problem = keyTypeProblem(column.baseType)
  if (problem !== null)
    throw refuse(`${column.type}, which cannot hold an id: ${problem}`, 'Name columns of other types.')
  if (column.generated === 'virtual')
    throw refuse('a virtual generated column, which triggers cannot see', 'Make it a stored one.')
  const id = root.id[part]
  const link = { name, type: keyCast(column.baseType) }
  const idType = root.table.columns.find((own) => own.name === id?.name)?.type ?? ''
  if (id === undefined || !sameFamily(link.type, id.type)) {
    throw refuse(
      `${column.type}, and the id ${tableText(root.table)}.${id?.name} is ${idType}`,
      'Name a column of the same type. Whole numbers of different sizes go together, and text and varchar.',
    )
  }
  if (!root.isTable && !hasOneText(column.type, idType)) {
    throw refuse(
      `${column.type}, of which equal values may have different texts`,
      `Cast the id in ${tableText(root.table)}: to bigint, to numeric with a scale, or to text in one spelling.`,
    )
  }
  return link
}

/**
 * A mark of `dependsOn` is the key itself where that is sure to be the same text: then a row of a view that is gone is
 * looked for all the same. Where equal values may be written differently (under a collation that ignores case, too),
 * and where the key has an address, it is looked up in the root table.
 */
function needsExpansion(table: Table, link: readonly KeyColumn[], root: QueryRoot): boolean {
  if (!root.isTable) return false
  const typeOf = (of: Table, name: string | undefined) =>
    of.columns.find((column) => column.name === name)?.type
  return (
    root.key.length > root.id.length ||
    link.some(({ name, type }, n) => {
      const own = typeOf(root.table, root.id[n]?.name) ?? ''
      return collated.has(type) || !hasOneText(typeOf(table, name) ?? '', own)
    })
  )
}

const collated: ReadonlySet<string> = new Set(['pg_catalog.text', 'pg_catalog.varchar', 'pg_catalog.bpchar'])

/** `1.0` and `1.00` are equal, unless both columns have the same scale; so are `a` and `A` as citext. */
function hasOneText(type: string, other: string): boolean {
  if (/(^|\.)citext$/.test(type)) return false
  if (!type.startsWith('numeric')) return true
  const scale = (text: string) =>
    /^numeric\(\d+(?:,(-?\d+))?\)$/.exec(text)?.[1] ?? (/\(/.test(text) ? '0' : null)
  return scale(type) !== null && scale(type) === scale(other)
}

/** What tells the rows apart, so that old and new ones can be paired. */
function rowKeyOf(table: Table): readonly KeyColumn[] {
  const typed = [table.primaryKey, ...table.uniqueKeys]
    .filter((key) => key.length > 0)
    .map((key) => key.map((name) => columnOf(table, name, '')))
    .find((key) =>
      key.every(({ baseType, generated }) => keyTypeProblem(baseType) === null && generated !== 'virtual'),
    )
  return (typed ?? []).map(({ name, baseType }) => ({ name, type: keyCast(baseType) }))
}

/** Columns that the query uses of a table, of its partitions where it names those; null: of its rows as a whole. */
function usedOf(table: Table, query: ParsedQuery): readonly string[] | null {
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
function marksAsRoot(root: QueryRoot, { table, key, expansion }: SourcePlan): boolean {
  return (
    root.isTable &&
    sameTable(root.table, table) &&
    key.every(({ name }, n) => name === root.id[n]?.name) &&
    (expansion === null || root.key.length === root.id.length)
  )
}
