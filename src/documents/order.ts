import { tableText } from '../catalog/table-name.ts'
import type { Table } from '../catalog/types.ts'
import { ConfigError } from '../errors.ts'
import { columnOf } from './fields.ts'

export interface OrderColumn {
  readonly column: string
  readonly descending: boolean
}

/** Types without an order in Postgres. */
const unsorted: ReadonlySet<string> = new Set(
  'json xml point box lseg line path polygon circle xid cid aclitem'.split(' '),
)

/** `orderBy`: a column of the table, or several, each perhaps followed by ` desc`. A column may be called `x desc`. */
export function planOrder(
  orderBy: string | readonly string[] | undefined,
  table: Table,
  where: string,
): readonly OrderColumn[] {
  const texts = orderBy === undefined ? [] : typeof orderBy === 'string' ? [orderBy] : orderBy
  return texts.map((text) => {
    const whole = table.columns.some(({ name }) => name === text)
    const [, name = text, direction] = whole ? [] : (/^(.*\S)\s+(asc|desc)$/i.exec(text) ?? [])
    const column = columnOf(table, name, where)
    if (unsorted.has(column.baseType.name)) {
      throw new ConfigError(`${tableText(table)}.${name} is ${column.type}, which has no order`, {
        where,
        remedy: 'Order by other columns.',
      })
    }
    return { column: name, descending: direction?.toLowerCase() === 'desc' }
  })
}
