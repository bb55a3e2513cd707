import { createHash } from 'node:crypto'
import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import type { TableName } from '../catalog/types.ts'
import { keyExpression } from './key-sql.ts'
import { problemSql, type Risk } from './problem-sql.ts'
import type { KeyColumn } from './types.ts'

/** A document as SQL: values, and objects that hold them. */
export type DocumentNode =
  | { readonly kind: 'value'; readonly sql: string }
  /** `whole`: null unless every value is there, for half a `geo_point` is refused. */
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, DocumentNode>; readonly whole: boolean }

export interface ViewInput {
  readonly schema: string
  readonly view: string
  readonly table: TableName
  readonly key: readonly KeyColumn[]
  readonly document: DocumentNode
  readonly risks: readonly Risk[]
  readonly where: string | undefined
}

/** `document_city`; a name that Postgres would cut is shortened to a head and a hash of the whole. */
export function viewName(document: string): string {
  const name = `document_${document}`
  if (Buffer.byteLength(name) <= 63) return name
  return `${name.slice(0, 52)}_${createHash('sha256').update(name).digest('hex').slice(0, 10)}`
}

/**
 * The view that computes a document. A view follows renamed columns and tables, Postgres refuses to drop what it
 * uses, and the names in it are frozen as they were at install.
 *
 * One level over one table, without an alias, so that a snippet's columns are never ambiguous.
 */
export function viewSql({ schema, view, table, key, document, risks, where }: ViewInput): string {
  const row = quoteIdentifier(table.name)
  return [
    `CREATE VIEW ${quoteTable({ schema, name: view })} AS`,
    'SELECT',
    [
      ...key.map(({ name }, n) => `  ${row}.${quoteIdentifier(name)} AS key_${n + 1}`),
      `  ${keyExpression(key, row)} AS key`,
      `  ${nodeSql(document)}::text AS document`,
      `  ${problemSql(risks)} AS problem`,
    ].join(',\n'),
    `FROM ${quoteTable(table)}`,
    ...(where === undefined ? [] : [`WHERE ${snippetSql(where)}`]),
  ].join('\n')
}

/** A snippet in its place. The line breaks end a `--` comment. */
export function snippetSql(sql: string): string {
  return `(\n${sql}\n)`
}

/**
 * row_to_json over a row of its own. Loads of 1,000 keys of a 760-byte row with 15 columns, text passed through to
 * Node, medians of 100 interleaved rounds, PG 15 / PG 18: this 9.5 / 12.3 ms; row_to_json of a LATERAL row 9.2 / 12.0,
 * but a snippet's columns would be ambiguous beside it; to_json() of each value concatenated 9.5 / 14.2;
 * json_build_object 10.4 / 14.5, with 5 % more bytes and 50 fields at most; jsonb_build_object 12.5 / 17.7.
 * The whole view, dates independent of the session and `problem` included, 9.8 / 12.4 ms; a bare row_to_json(city),
 * which has neither, 8.6 / 11.2. (`o.*`, for a bare `o` would mean a column of that name.)
 */
export function nodeSql(node: DocumentNode): string {
  if (node.kind === 'value') return node.sql
  const values = [...node.fields].map(([name, inner]) => [nodeSql(inner), quoteIdentifier(name)] as const)
  const columns = values.map(([sql, name]) => `${sql} AS ${name}`).join(', ')
  const object = `(SELECT pg_catalog.row_to_json(o.*) FROM (SELECT ${columns}) AS o)`
  if (!node.whole) return object
  const present = values.map(([sql]) => `${sql} IS NOT NULL`).join(' AND ')
  return `CASE WHEN ${present} THEN ${object} END`
}
