import type { ParsedQuery, QueryColumn, Table } from '../catalog/types.ts'
import { ConfigError } from '../errors.ts'
import { type Field, fieldNames, refuseConflicts } from './fields.ts'
import { keyCast } from './key-sql.ts'
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
  const own = id.map(({ name, type }) => idColumn(where, name, type, columns, table))
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

function idColumn(
  where: string,
  name: string,
  type: string,
  columns: readonly QueryColumn[],
  table: Table,
): QueryColumn {
  const found = columns.find((column) => column.name === name)
  if (found === undefined) {
    throw new ConfigError(`the query does not return the id ${JSON.stringify(name)}`, {
      where,
      remedy: `It returns ${columns.map((column) => column.name).join(', ')}. Add ${JSON.stringify(name)}, which tells whose row it is.`,
    })
  }
  if (found.baseType.array || !sameFamily(keyCast(found.baseType), type)) {
    const wanted = table.columns.find((column) => column.name === name)?.type ?? type
    throw new ConfigError(
      `the query returns ${JSON.stringify(name)} as ${found.type}, and the id is ${wanted}`,
      {
        where,
        remedy: `Cast it: ${name}::${wanted}.`,
      },
    )
  }
  return found
}

const families: readonly ReadonlySet<string>[] = [
  new Set(['pg_catalog.int2', 'pg_catalog.int4', 'pg_catalog.int8']),
  new Set(['pg_catalog.text', 'pg_catalog.varchar']),
]

/** Whether values of two key types have the same text where they are equal. */
export function sameFamily(one: string, other: string): boolean {
  return one === other || families.some((family) => family.has(one) && family.has(other))
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
