import { suggest } from '../catalog/suggest.ts'
import { tableText } from '../catalog/table-name.ts'
import type { BaseType, Column, Table } from '../catalog/types.ts'
import type { FieldSource, RowFields } from '../config/types.ts'
import { ConfigError } from '../errors.ts'
import { configPath, isFieldList, isSql, type ParsedSnippets, parsedSnippet } from './snippets.ts'

/** A field of a document, and what it is computed from. */
export interface Field {
  /** Names from the root of the document: `['geo', 'lat']`. */
  readonly path: readonly string[]
  readonly source: { readonly column: string } | { readonly sql: string }
  /** Columns it reads. */
  readonly columns: readonly string[]
  readonly type: string
  readonly baseType: BaseType
}

/** What the fields are planned from. */
export interface FieldInput {
  /** Where the row stands in the configuration: `documents.city`, `documents.city.relations.country`. */
  readonly at: string
  readonly row: RowFields
  readonly table: Table
  /** The table as the configuration has it. */
  readonly tableName: string
  readonly snippets: ParsedSnippets
  /** The root of the document, where Elasticsearch keeps some names for itself. */
  readonly root: boolean
}

/** The fields of a row in their order: as `fields` has them, or all columns but those in `omit`. */
export function planFields({ at, row, table, tableName, snippets, root }: FieldInput): readonly Field[] {
  const { fields, omit } = row
  if (fields !== undefined && omit !== undefined) {
    throw new ConfigError('goes without "fields" only', {
      where: `${at}.omit`,
      remedy: 'Remove one of the two.',
    })
  }
  const listed = fields === undefined ? allBut(table, omit ?? [], at) : fieldsOf(at, fields)
  if (listed.length === 0) {
    throw new ConfigError('no field is left', {
      where: `${at}.${omit === undefined ? 'fields' : 'omit'}`,
      remedy: 'A document needs at least one field.',
    })
  }
  const planned = listed.map(({ field, source, where }): Field => {
    const path = fieldNames(field, where, root)
    if (isSql(source)) return { path, source, ...typeOfSnippet(source.sql, tableName, snippets) }
    const { type, baseType } = columnOf(table, source, where)
    return { path, source: { column: source }, columns: [source], type, baseType }
  })
  refuseConflicts(planned, `${at}.fields`)
  return planned
}

/** The column of that name, or a ConfigError that suggests one. */
export function columnOf(table: Table, name: string, where: string): Column {
  const column = table.columns.find((candidate) => candidate.name === name)
  if (column !== undefined) return column
  const names = table.columns.map((candidate) => candidate.name)
  throw new ConfigError(`${tableText(table)} has no column ${JSON.stringify(name)}${suggest(name, names)}`, {
    where,
    remedy: `Its columns are ${names.join(', ')}. An expression is written sql('…').`,
  })
}

interface Listed {
  readonly field: string
  readonly source: FieldSource
  readonly where: string
}

function allBut(table: Table, omit: readonly string[], at: string): Listed[] {
  const omitted = new Set(omit.map((column, n) => columnOf(table, column, `${at}.omit[${n}]`).name))
  return table.columns
    .filter(({ name }) => !omitted.has(name))
    .map(({ name }) => ({ field: name, source: name, where: at }))
}

function fieldsOf(at: string, fields: NonNullable<RowFields['fields']>): Listed[] {
  return isFieldList(fields)
    ? fields.map((column, n) => ({ field: column, source: column, where: `${at}.fields[${n}]` }))
    : Object.entries(fields).map(([field, source]) => ({
        field,
        source,
        where: configPath(`${at}.fields`, field),
      }))
}

function typeOfSnippet(
  sql: string,
  tableName: string,
  snippets: ParsedSnippets,
): Pick<Field, 'columns' | 'type' | 'baseType'> {
  const { columns, type, baseType } = parsedSnippet(snippets, tableName, sql)
  return { columns, type, baseType }
}

/** Elasticsearch keeps these for itself and refuses a document that holds one at its root. */
const reserved: ReadonlySet<string> = new Set(
  '_data_stream_timestamp _doc_count _feature _field_names _id _ignored _ignored_source _index _index_mode _nested_path _routing _seq_no _size _source _tier _type _version'.split(
    ' ',
  ),
)

/** A dotted name is a path; Elasticsearch reads it so wherever it comes from. */
export function fieldNames(field: string, where: string, root: boolean): readonly string[] {
  const path = field.split('.')
  const refuse = (what: string) =>
    new ConfigError(`${JSON.stringify(field)} ${what}`, {
      where,
      remedy: `Give the field another name: fields: { 'other name': ${JSON.stringify(field)} }.`,
    })
  if (path.some((part) => part.trim() === '')) throw refuse('is no field name: a part of it is empty')
  // As a property it would be the prototype of what holds it, and gone from the mapping.
  if (path.includes('__proto__')) throw refuse('is a name that JavaScript keeps for itself')
  if (root && reserved.has(path[0] ?? '')) throw refuse('is a name that Elasticsearch keeps for itself')
  // Longer ones would be cut off without a word: each is the name of a column in the view's row.
  if (path.some((part) => Buffer.byteLength(part) > 63)) throw refuse('is too long: a name may have 63 bytes')
  return path
}

function refuseConflicts(fields: readonly Field[], where: string): void {
  const taken = new Set<string>()
  for (const { path } of fields) {
    const name = path.join('.')
    if (taken.has(name)) throw new ConfigError(`${JSON.stringify(name)} is there twice`, { where })
    taken.add(name)
  }
  for (const { path } of fields) {
    for (let length = 1; length < path.length; length++) {
      const parent = path.slice(0, length).join('.')
      if (!taken.has(parent)) continue
      throw new ConfigError(
        `${JSON.stringify(parent)} cannot be a value and hold ${JSON.stringify(path.join('.'))}`,
        {
          where,
          remedy: 'A dotted name nests. Rename one of the two.',
        },
      )
    }
  }
}
