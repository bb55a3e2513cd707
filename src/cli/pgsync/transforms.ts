import { quoteLiteral, readableIdentifier } from '../../catalog/quote.ts'
import type { FieldSource } from '../../config/types.ts'
import type { Remarks } from './remarks.ts'
import { type PgsyncRow, unknownKeys } from './schema.ts'

type Transform = NonNullable<PgsyncRow['transform']>

/** New names of a node's fields and children, as `transform.rename` has them: `old → new`. */
export function renames({ transform }: PgsyncRow): ReadonlyMap<string, string> {
  const texts = Object.entries(transform?.rename ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1].trim() !== '',
  )
  return new Map(texts)
}

/** Names each rename that renames nothing, and whatever else `transform` has that is not carried out. */
export function remarkTransform(
  at: string,
  row: PgsyncRow,
  /** Fields by the name that they have in the end. */
  fields: ReadonlyMap<string, FieldSource>,
  known: ReadonlySet<string>,
  remarks: Remarks,
): void {
  const { transform } = row
  if (transform === null || transform === undefined) return
  for (const [old, name] of Object.entries(transform.rename ?? {})) {
    const where = `${at}.transform.rename.${old}`
    if (typeof name !== 'string' || name.trim() === '') {
      remarks.todo(where, 'is no text', 'Name the field in "fields" (new name: column), or in "relations".')
    } else if (!known.has(old)) {
      remarks.todo(
        where,
        'renames what the node does not have',
        'Nothing was renamed: is it a misspelt column?',
      )
    }
  }
  for (const key of unknownKeys('transform', transform)) {
    const where = `${at}.transform.${key}`
    const value = transform[key]
    if (key === 'concat') remarkConcat(where, value, fields, remarks)
    else if (key === 'replace') remarkReplace(where, value, row, remarks)
    else {
      remarks.todo(where, `was not translated: ${JSON.stringify(value)}`, fallback)
    }
  }
}

const fallback = 'State it as SQL in "fields", or as a "transform" function (docs/documents.md).'

function remarkConcat(
  at: string,
  value: unknown,
  fields: ReadonlyMap<string, FieldSource>,
  remarks: Remarks,
): void {
  const list = Array.isArray(value) ? value : [value]
  list.forEach((one: unknown, n) => {
    const where = Array.isArray(value) ? `${at}[${n}]` : at
    const { columns, destination, delimiter = '' } = (one ?? {}) as Transform
    if (!Array.isArray(columns) || typeof destination !== 'string') {
      remarks.todo(where, `was not translated: ${JSON.stringify(one)}`, fallback)
      return
    }
    const parts = columns.map((column) => sqlOf(fields.get(String(column))) ?? quoteLiteral(String(column)))
    const sql = `concat_ws(${[quoteLiteral(String(delimiter)), ...parts].join(', ')})`
    remarks.todo(
      where,
      'was not translated',
      `Add it to "fields": ${destination}: sql(${JSON.stringify(sql)})`,
    )
  })
}

function remarkReplace(at: string, value: unknown, row: PgsyncRow, remarks: Remarks): void {
  const columns = Object.entries((value ?? {}) as Transform)
  const usable = columns.every(([, pairs]) => typeof pairs === 'object' && pairs !== null)
  if (!usable || columns.length === 0) {
    remarks.todo(at, `was not translated: ${JSON.stringify(value)}`, fallback)
    return
  }
  for (const [column, pairs] of columns) {
    const sql = Object.entries(pairs as Transform).reduce(
      (inner, [from, to]) => `replace(${inner}, ${quoteLiteral(from)}, ${quoteLiteral(String(to))})`,
      readableIdentifier(column),
    )
    remarks.todo(
      `${at}.${column}`,
      'was not translated (many releases of PGSync do not carry it out either)',
      `Put it into "fields": ${renames(row).get(column) ?? column}: sql(${JSON.stringify(sql)})`,
    )
  }
}

function sqlOf(source: FieldSource | undefined): string | null {
  if (source === undefined) return null
  return typeof source === 'string' ? readableIdentifier(source) : source.sql
}
