import type { Catalog, Table } from '../catalog/types.ts'
import type { Relation, RowFields } from '../config/types.ts'
import { ConfigError } from '../errors.ts'
import { type Field, fieldNames, planFields } from './fields.ts'
import { isUnique } from './foreign-keys.ts'
import { type LinkPair, planLink } from './links.ts'
import { type OrderColumn, planOrder } from './order.ts'
import { planTable } from './root-table.ts'
import { configPath, type ParsedSnippets, parsedSnippet, relatedTable } from './snippets.ts'

/** What a document takes of a table: of the root table, or of a related one. */
export interface PlannedRow {
  readonly table: Table
  readonly fields: readonly Field[]
  /** SQL condition, and the columns that it reads. */
  readonly where: string | undefined
  readonly whereColumns: readonly string[]
  readonly relations: readonly PlannedRelation[]
}

export interface PlannedRelation {
  /** Field of the document, and its path from the root: `author`, `reviews.author`. */
  readonly name: string
  readonly path: string
  /** Config path. */
  readonly at: string
  readonly many: boolean
  /** The table in between, and what links it to the level above; null where there is none. */
  readonly through: { readonly table: Table; readonly on: readonly LinkPair[] } | null
  /** What links the related table to the level above, or to the table in between. */
  readonly on: readonly LinkPair[]
  readonly row: PlannedRow
  readonly order: readonly OrderColumn[]
  readonly limit: number | null
  readonly nested: boolean
  /** Its one field stands for the whole row. */
  readonly flatten: boolean
}

export interface RowInput {
  readonly at: string
  /** Path of the relation; '' is the root. */
  readonly path: string
  readonly definition: RowFields & Pick<Relation, 'where' | 'flatten'>
  readonly table: Table
  /** The table as the configuration has it. */
  readonly tableName: string
  readonly catalog: Catalog
  readonly snippets: ParsedSnippets
  /** Our schema. */
  readonly schema: string
}

/** Resolves what a row of a document is made of, related rows to any depth. */
export function planRow(input: RowInput): PlannedRow {
  const { at, path, definition, table, tableName, snippets } = input
  const { where, flatten } = definition
  const root = path === ''
  const all = planFields({ at, row: definition, table, tableName, snippets, root })
  const fields = flatten === undefined ? all : [flattened(all, flatten, at)]
  const relations = Object.entries(definition.relations ?? {}).map(([name, relation]) => {
    const relationAt = configPath(`${at}.relations`, name)
    fieldNames(name, relationAt, root)
    if (all.some(({ path: [first] }) => first === name)) {
      throw new ConfigError(`the field ${JSON.stringify(name)} is there twice`, {
        where: relationAt,
        remedy: `Rename the relation, or leave the column out: omit: [${JSON.stringify(name)}].`,
      })
    }
    return planRelation({ ...input, at: relationAt, name, relation, here: table })
  })
  refuseOtherThanCondition(where, tableName, snippets, `${at}.where`)
  return {
    table,
    fields,
    where,
    whereColumns: where === undefined ? [] : parsedSnippet(snippets, tableName, where).columns,
    relations,
  }
}

function planRelation(
  input: Omit<RowInput, 'definition' | 'table' | 'tableName'> & {
    readonly name: string
    readonly relation: Relation
    readonly here: Table
  },
): PlannedRelation {
  const { at, name, relation, here, catalog, schema } = input
  const many = relation.many !== undefined
  const tableName = relatedTable(relation)
  const table = planTable(`${at}.${many ? 'many' : 'one'}`, tableName, catalog, schema)
  const through = planThrough(input)
  const on = planLink(
    through === null
      ? {
          at,
          name: 'on',
          here,
          there: table,
          stated: relation.on,
          owner: many ? 'there' : 'here',
          reverse: many ? 'no' : 'when unique',
        }
      : {
          at: `${at}.through`,
          name: 'to',
          here: through.table,
          there: table,
          stated: relation.through?.to,
          owner: 'here',
          reverse: 'yes',
        },
  )
  if (!many) refuseSeveral(on, table, tableName, at)
  const path = input.path === '' ? name : `${input.path}.${name}`
  return {
    name,
    path,
    at,
    many,
    through,
    on,
    row: planRow({ ...input, path, definition: relation, table, tableName }),
    order: planOrder(relation.orderBy, table, `${at}.orderBy`),
    limit: relation.limit ?? null,
    nested: relation.nested ?? false,
    flatten: relation.flatten !== undefined,
  }
}

function planThrough({
  at,
  relation: { through, on },
  here,
  catalog,
  schema,
}: Parameters<typeof planRelation>[0]): PlannedRelation['through'] {
  if (through === undefined) return null
  const table = planTable(`${at}.through.table`, through.table, catalog, schema)
  const pairs = planLink({
    at: on === undefined ? `${at}.through` : at,
    name: 'on',
    here,
    there: table,
    stated: on ?? through.on,
    owner: 'there',
    reverse: 'yes',
  })
  return { table, on: pairs }
}

/** Which of several rows would it be? */
function refuseSeveral(on: readonly LinkPair[], table: Table, name: string, at: string): void {
  const columns = on.map(({ there }) => there)
  if (isUnique(table, columns)) return
  throw new ConfigError(`${columns.join(', ')} is not unique in ${name}: several rows could be the one`, {
    where: at,
    remedy: `Take many: ${JSON.stringify(name)} with orderBy and limit: 1, or add a unique index.`,
  })
}

function flattened(fields: readonly Field[], flatten: string, at: string): Field {
  const field = fields.find(({ path }) => path.join('.') === flatten)
  if (field !== undefined) return field
  const names = fields.map(({ path }) => path.join('.'))
  throw new ConfigError(`${JSON.stringify(flatten)} is none of its fields`, {
    where: `${at}.flatten`,
    remedy: `Its fields are ${names.join(', ')}. An expression is a field of its own: fields: { label: sql('…') }, flatten: 'label'.`,
  })
}

function refuseOtherThanCondition(
  where: string | undefined,
  tableName: string,
  snippets: ParsedSnippets,
  path: string,
): void {
  if (where === undefined) return
  const parsed = parsedSnippet(snippets, tableName, where)
  if (parsed.baseType.name === 'bool' && !parsed.baseType.array) return
  throw new ConfigError(`${JSON.stringify(where)} is ${parsed.type}, and a condition is needed`, {
    where: path,
    remedy: 'Compare it with something: the result must be boolean.',
  })
}
