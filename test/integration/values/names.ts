import { quoteTable } from '../../../src/catalog/quote.ts'

/** A table of an unusual name: `id` and `label`, whose rows have to arrive. */
interface NamedTable {
  readonly document: string
  /** As in the configuration. */
  readonly text: string
  /** As in SQL. */
  readonly sql: string
}

const inSchema = (schema: string, name: string) => ({
  text: `${schema === 'public' ? '' : `${written(schema)}.`}${written(name)}`,
  sql: quoteTable({ schema, name }),
})
/** In double quotes where it holds a dot or quotes, as in SQL. */
const written = (name: string) => (/[".]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)

export const schemas = ['My "Schema".x', 'order', 'schéma 😀']

export const tables: readonly NamedTable[] = [
  ['public', 'Odd "quoted" table'],
  ['public', 'select'],
  ['public', 'UPPER'],
  ['public', 'upper'],
  ['public', '😀 emoji ü'],
  ['public', 'with.dots.in it'],
  ['public', "it's $1 %I \\ --"],
  ['public', '1st'],
  ['public', 'line\nbreak'],
  ['public', 'n'.repeat(63)],
  ['public', 'ü'.repeat(31)],
  // As our own are called.
  ['public', 'new_rows'],
  ['public', 'sync_queue'],
  ['public', 'o'],
  ['My "Schema".x', 'table.y'],
  ['order', 'by'],
  ['schéma 😀', 'ö'],
].map(([schema = '', name = ''], n) => ({ document: `named_${n}`, ...inSchema(schema, name) }))

/** Columns of one table, and fields of its document; a dot would nest. */
export const columns: readonly string[] = [
  'select',
  'UPPER',
  'upper',
  'with blanks',
  ' a blank before and after ',
  'double "quotes"',
  "single 'quote'",
  'back\\slash',
  '$1 %I :name ?',
  '-- comment /*',
  'line\nbreak\ttab',
  '😀 ü',
  'c'.repeat(63),
  'ü'.repeat(31),
  '1',
  'key',
  'key_1',
  'document',
  'problem',
  'o',
  'n',
  'r',
  'sluice element',
  'marked',
  'type',
  'properties',
  'constructor',
  'toString',
  'ctid_',
  '_under',
  'a*b',
  'a,b',
  'a:b/c',
  '#@!{}[]<>|',
]

/** Names that no field may have, with the reason of the refusal. */
export const refusedColumns: readonly (readonly [column: string, reason: string])[] = [
  ['_id', '"_id" is a name that Elasticsearch keeps for itself'],
  ['_source', '"_source" is a name that Elasticsearch keeps for itself'],
  ['__proto__', '"__proto__" is a name that JavaScript keeps for itself'],
  ['a..b', '"a..b" is no field name: a part of it is empty'],
  ['.', '"." is no field name: a part of it is empty'],
  [' ', '" " is no field name: a part of it is empty'],
]
