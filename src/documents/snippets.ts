import type { ParsedSnippet } from '../catalog/types.ts'
import type { DocumentDefinition, Relation, RowFields, SqlExpression } from '../config/types.ts'

/** An SQL snippet of a definition, and where it stands in the configuration. */
export interface Snippet {
  readonly path: string
  readonly sql: string
  /** Table whose row it is about, as the configuration has it. */
  readonly table: string
}

/** What Postgres made of the snippets of a definition: `snippetKey` → findings. */
export type ParsedSnippets = ReadonlyMap<string, ParsedSnippet>

/** The same text means another thing over another table. */
export function snippetKey({ table, sql }: Pick<Snippet, 'table' | 'sql'>): string {
  return `${table}\0${sql}`
}

/** What Postgres made of it. */
export function parsedSnippet(snippets: ParsedSnippets, table: string, sql: string): ParsedSnippet {
  const parsed = snippets.get(snippetKey({ table, sql }))
  if (parsed === undefined)
    throw new Error(`the snippet ${JSON.stringify(sql)} over ${table} was not parsed before planning`)
  return parsed
}

/** A snippet in its place. The line breaks end a `--` comment. */
export function snippetSql(sql: string): string {
  return `(\n${sql}\n)`
}

/** All SQL that a definition holds, at any depth; each is to be parsed by Postgres before `planDocument`. */
export function snippetsOf(name: string, definition: DocumentDefinition): readonly Snippet[] {
  return snippetsOfRow(`documents.${name}`, definition.table, definition)
}

function snippetsOfRow(at: string, table: string, row: RowFields & Pick<Relation, 'where'>): Snippet[] {
  const { where, fields, relations = {} } = row
  const own: Snippet[] = where === undefined ? [] : [{ path: `${at}.where`, sql: where, table }]
  if (fields !== undefined && !isFieldList(fields)) {
    for (const [field, source] of Object.entries(fields)) {
      if (isSql(source)) own.push({ path: configPath(`${at}.fields`, field), sql: source.sql, table })
    }
  }
  const related = Object.entries(relations).flatMap(([field, relation]) =>
    snippetsOfRow(configPath(`${at}.relations`, field), relatedTable(relation), relation),
  )
  return [...own, ...related]
}

/** The table that a relation's rows are taken from, as the configuration has it. */
export function relatedTable({ one, many }: Relation): string {
  return one ?? many ?? ''
}

/** Where a key stands in the configuration: `documents.city.fields.slug`, `documents.city.fields["geo.lat"]`. */
export function configPath(at: string, key: string): string {
  const simple = /^[A-Za-z_][A-Za-z0-9_]*$/.test(key)
  return `${at}${simple ? `.${key}` : `[${JSON.stringify(key)}]`}`
}

export function isSql(source: unknown): source is SqlExpression {
  return typeof source === 'object' && source !== null && 'sql' in source
}

/** `Array.isArray` does not tell readonly arrays from records. */
export function isFieldList(fields: NonNullable<RowFields['fields']>): fields is readonly string[] {
  return Array.isArray(fields)
}
