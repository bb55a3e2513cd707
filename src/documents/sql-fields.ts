import type { ParsedQuery, QueryColumn, Table } from '../catalog/types.ts'
import { ConfigError } from '../errors.ts'
import { columnOf, type Field, fieldNames, refuseConflicts } from './fields.ts'
import { comparable } from './links.ts'
import type { KeyColumn } from './types.ts'

/** The columns of a query: those of the id, and the fields of the document. */
export interface QueryFields {
  /** In the order of the id. */
  readonly id: readonly QueryColumn[]
  readonly fields: readonly Field[]
}

/** @param where `documents.report.sql` */
export function planQueryFields(
  where: string,
  { columns }: ParsedQuery,
  id: readonly KeyColumn[],
  table: Table,
): QueryFields {
  const own = id.map(({ name }) => idColumn(where, name, columns, table))
  const rest = columns.filter((column) => !own.includes(column))
  if (rest.length === 0) {
    throw new ConfigError('no field is left: the query returns the id alone', {
      where,
      remedy: 'The columns beside the id are the fields of the document.',
    })
  }
  const fields = rest.map(({ name, type, baseType }): Field => {
    return { path: pathOf(name, where), source: { column: name }, columns: [], type, baseType }
  })
  refuseConflicts(fields, where)
  return { id: own, fields }
}

function idColumn(where: string, name: string, columns: readonly QueryColumn[], table: Table): QueryColumn {
  const found = columns.find((column) => column.name === name)
  if (found === undefined) {
    throw new ConfigError(`the query does not return the id ${JSON.stringify(name)}`, {
      where,
      remedy: `It returns ${columns.map((column) => column.name).join(', ')}. Add ${JSON.stringify(name)}, which tells whose row it is.`,
    })
  }
  const { type, baseType } = columnOf(table, name, where)
  if (found.baseType.array || !comparable(found.baseType, baseType)) {
    throw new ConfigError(
      `the query returns ${JSON.stringify(name)} as ${found.type}, and the id is ${type}`,
      {
        where,
        remedy: `Cast it: ${name}::${type}.`,
      },
    )
  }
  return found
}

function pathOf(column: string, where: string): readonly string[] {
  try {
    return fieldNames(column, where, true)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.message.slice(`${where}: `.length), {
      where,
      remedy: `Give the column another name: AS "other name".`,
      cause: error,
    })
  }
}
