import type { DocumentDefinition, SqlExpression } from '../config/types.ts'

/** An SQL snippet of a definition, and where it stands in the configuration. */
export interface Snippet {
  readonly path: string
  readonly sql: string
}

/** All SQL that a definition holds; each is to be parsed by Postgres before `planDocument`. */
export function snippetsOf(name: string, definition: DocumentDefinition): readonly Snippet[] {
  const { where, fields } = definition
  const snippets: Snippet[] = where === undefined ? [] : [{ path: `documents.${name}.where`, sql: where }]
  if (fields !== undefined && !isFieldList(fields)) {
    for (const [field, source] of Object.entries(fields)) {
      if (isSql(source)) snippets.push({ path: fieldPath(name, field), sql: source.sql })
    }
  }
  return snippets
}

/** Where a field stands in the configuration: `documents.city.fields.slug`, `documents.city.fields["geo.lat"]`. */
export function fieldPath(document: string, field: string): string {
  const simple = /^[A-Za-z_][A-Za-z0-9_]*$/.test(field)
  return `documents.${document}.fields${simple ? `.${field}` : `[${JSON.stringify(field)}]`}`
}

export function isSql(source: unknown): source is SqlExpression {
  return typeof source === 'object' && source !== null && 'sql' in source
}

/** `Array.isArray` does not tell readonly arrays from records. */
export function isFieldList(fields: NonNullable<DocumentDefinition['fields']>): fields is readonly string[] {
  return Array.isArray(fields)
}
