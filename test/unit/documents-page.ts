import { readFileSync } from 'node:fs'

/** A row of a table in docs/mappings.md. */
export interface PageRow {
  readonly type: string
  readonly field: string
  readonly example: string
  readonly json: string
}

const page = readFileSync(new URL('../../docs/mappings.md', import.meta.url), 'utf8')

/** The table that begins with this heading. */
function tableAfter(heading: string): PageRow[] {
  const lines = page.slice(page.indexOf(heading)).split('\n').slice(2)
  const rows = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('|')),
  )
  return rows.map((line) => {
    const [type = '', field = '', example = '', json = ''] = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1'))
    return { type, field, example, json }
  })
}

/** Type, derived mapping, example, JSON. */
export const derivedRows = tableAfter('| Postgres | Elasticsearch |')
/** Type, stated type, example, JSON. */
export const statedRows = tableAfter('| Postgres | stated type |')
