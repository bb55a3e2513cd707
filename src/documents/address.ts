import { tableText } from '../catalog/table-name.ts'
import type { Table } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { ConfigError } from '../errors.ts'
import { columnOf } from './fields.ts'
import { keyCast, keyTypeProblem } from './key-sql.ts'
import type { DocumentPlan, KeyColumn } from './types.ts'

/**
 * The key tuple with the columns that decide where a document is, so that one that moves, or is deleted, leaves
 * nothing at its old address. They may be null. A `tenant` that the index is not named by is no part of it.
 */
export function planAddress(
  at: string,
  { index, tenant, routing }: Pick<DocumentDefinition, 'index' | 'tenant' | 'routing'>,
  table: Table,
  id: readonly KeyColumn[],
): Pick<DocumentPlan, 'key' | 'address'> {
  const key = [...id]
  const position = (name: string, where: string): number => {
    const known = key.findIndex((part) => part.name === name)
    if (known >= 0) return known
    return key.push(addressColumn(table, name, where)) - 1
  }
  const where = `${at}.tenant`
  if (tenant !== undefined) columnOf(table, tenant, where)
  const named = index.includes('{tenant}') && tenant !== undefined
  return {
    address: {
      tenant: named ? position(tenant, where) : null,
      routing: routing === undefined ? null : position(routing, `${at}.routing`),
    },
    key,
  }
}

function addressColumn(table: Table, name: string, where: string): KeyColumn {
  const { type, baseType, generated } = columnOf(table, name, where)
  const problem = keyTypeProblem(baseType)
  if (problem !== null) {
    throw new ConfigError(`${tableText(table)}.${name} is ${type}, which cannot be an address: ${problem}`, {
      where,
      remedy: 'State a column of another type.',
    })
  }
  if (generated === 'virtual') {
    throw new ConfigError(
      `${tableText(table)}.${name} is a virtual generated column, which triggers cannot see`,
      {
        where,
        remedy: 'Make it a stored one, or state another column.',
      },
    )
  }
  return { name, type: keyCast(baseType) }
}
