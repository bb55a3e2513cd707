import { tableText } from '../catalog/table-name.ts'
import type { Table } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { ConfigError } from '../errors.ts'
import { columnOf } from './fields.ts'
import { keyCast, keyTypeProblem } from './key-sql.ts'
import type { KeyColumn } from './types.ts'

export interface PlannedKey {
  readonly key: readonly KeyColumn[]
  readonly walkOrder: readonly number[]
}

/**
 * The key columns: `id`, or the primary key. They must be unique and never null, for a key stands for one row:
 * two rows of one `_id` would overwrite each other, and the last one would win by chance.
 */
export function planKey(name: string, { id }: DocumentDefinition, table: Table): PlannedKey {
  const where = id === undefined ? `documents.${name}.table` : `documents.${name}.id`
  if (id === undefined && table.primaryKey.length === 0) throw withoutKey(table, where)
  const columns = (id ?? table.primaryKey).map((column) => columnOf(table, column, where))
  const names = columns.map((column) => column.name)
  if (names.length === 0 || new Set(names).size < names.length) {
    throw new ConfigError('needs one or more different columns', { where })
  }
  for (const { name: column, type, baseType, notNull } of columns) {
    if (!notNull) {
      throw new ConfigError(`${tableText(table)}.${column} can be null, a key cannot`, {
        where,
        remedy: `ALTER TABLE ${tableText(table)} ALTER COLUMN ${column} SET NOT NULL, or state other columns.`,
      })
    }
    const problem = keyTypeProblem(baseType)
    if (problem !== null) {
      throw new ConfigError(`${tableText(table)}.${column} is ${type}, which cannot be a key: ${problem}`, {
        where,
        remedy: `State columns of other types.${candidatesText(table)}`,
      })
    }
  }
  const unique = table.uniqueKeys.find((key) => key.every((column) => names.includes(column)))
  if (unique === undefined) {
    throw new ConfigError(`${names.join(', ')} is not unique in ${tableText(table)}`, {
      where,
      remedy: `A unique index over just these columns is needed.${candidatesText(table)}`,
    })
  }
  const walked = [...unique, ...names.filter((column) => !unique.includes(column))]
  return {
    key: columns.map(({ name: column, baseType }) => ({ name: column, type: keyCast(baseType) })),
    walkOrder: walked.map((column) => names.indexOf(column)),
  }
}

function withoutKey(table: Table, where: string): ConfigError {
  const found = candidatesText(table)
  return new ConfigError(`${tableText(table)} has no primary key`, {
    where,
    remedy:
      found === ''
        ? 'Add a primary key, or a unique index over columns that are NOT NULL, and state its columns as "id".'
        : `State the key.${found}`,
  })
}

/** ` Unique there: id: ['code'].` */
function candidatesText(table: Table): string {
  const keys = table.uniqueKeys.map((key) => `id: [${key.map((column) => `'${column}'`).join(', ')}]`)
  return keys.length === 0 ? '' : ` Unique there: ${keys.join(' or ')}.`
}
