import type { Catalog, Table, TableName } from './types.ts'

/** `geo.city` as people write it; `public.` is left out. */
export function tableText(table: TableName): string {
  return table.schema === 'public' ? table.name : `${table.schema}.${table.name}`
}

/** As a configuration names it: a part that holds a dot or a quote is written in double quotes. */
export function quotedTableText({ schema, name }: TableName): string {
  const part = (text: string) => (/[."]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return tableText({ schema: part(schema), name: part(name) })
}

/**
 * `schema.table`, or `table` for `public.table`. Names are taken as they are (no folding to lower case); one
 * that holds a dot is written in double quotes, as in SQL: `geo."my.table"`. Null where it is neither.
 */
export function parseTableName(text: string): TableName | null {
  const parts = text.match(/"(?:[^"]|"")+"|[^".]+|\./g) ?? []
  if (parts.join('') !== text) return null
  const [first, dot, second, ...more] = parts
  if (first === undefined || first === '.' || more.length > 0) return null
  if (dot === undefined) return { schema: 'public', name: unquote(first) }
  if (dot !== '.' || second === undefined || second === '.') return null
  return { schema: unquote(first), name: unquote(second) }
}

/** The table that a configuration's text names. */
export function findTable(catalog: Catalog, text: string): Table | undefined {
  const name = parseTableName(text)
  return name === null ? undefined : catalog.table(name)
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part
}
