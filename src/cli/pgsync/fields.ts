import { quoteLiteral, readableIdentifier } from '../../catalog/quote.ts'
import type { Table } from '../../catalog/types.ts'
import type { FieldSource } from '../../config/types.ts'
import type { PgsyncRow } from './schema.ts'

/** A field as PGSync would write it, before `rename`. */
export interface Field {
  readonly name: string
  readonly source: FieldSource
}

/**
 * Columns of a node, as fields: those that it lists, among them paths into JSON (`data->a->>b`); null for all columns
 * of its table.
 */
export function listedFields({ columns }: PgsyncRow): readonly Field[] | null {
  const listed = [...new Set(columns ?? [])]
  return listed.length === 0 ? null : listed.map((column) => fieldOf(column))
}

/** All columns of a table, one by one. */
export function allFields(table: Table): readonly Field[] {
  return table.columns.map(({ name }) => ({ name, source: name }))
}

/** `data->a->>0` is the field `data_a_0`, as PGSync calls it. */
function fieldOf(column: string): Field {
  const [base = '', ...path] = column.split(/(->>|->|#>>|#>)/)
  if (path.length === 0) return { name: column, source: column }
  const steps: string[] = []
  const names = [base]
  for (let n = 0; n < path.length; n += 2) {
    const operand = (path[n + 1] ?? '').trim()
    const arrow = path[n]?.startsWith('-') ?? false
    steps.push(` ${path[n]} ${arrow && /^\d+$/.test(operand) ? operand : quoteLiteral(operand)}`)
    names.push(operand.replaceAll(/[{}]/g, ''))
  }
  return { name: names.join('_'), source: { sql: `${readableIdentifier(base.trim())}${steps.join('')}` } }
}
