import { escapeIdentifier, escapeLiteral, type Pool } from 'pg'
import { quoteTable } from '../catalog/quote.ts'
import { tableText } from '../catalog/table-name.ts'
import type { Column, Table } from '../catalog/types.ts'
import { keyCast, keyPart, keyTypeProblem } from '../documents/key-sql.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { UsageError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import { briefly } from './briefly.ts'
import type { Filter } from './filter.ts'
import type { RunOptions } from './types.ts'

/** The column that tells a document's tenants. Throws a UsageError when the definition names none. */
export function tenantColumn(
  table: Table,
  { document, tenant }: Pick<DocumentPlan, 'document' | 'tenant'>,
): Column {
  if (tenant === undefined) {
    throw new UsageError(`${document} has no "tenant" in its definition`, {
      where: '--tenant',
      remedy:
        'State the column that tells the tenant and run sluice install, or choose the rows with --where.',
    })
  }
  const column = table.columns.find(({ name }) => name === tenant)
  if (column === undefined) {
    throw new UsageError(`${tableText(table)} has no column "${tenant}" any more`, {
      where: '--tenant',
      remedy: 'Was it renamed? Change the configuration and run sluice install.',
    })
  }
  return column
}

/**
 * Rows of one tenant, as an SQL condition: those whose column has just this text, as keys and index names have it ('007' is
 * not tenant 7). Equal texts are equal values, so that comparing the values, too, changes nothing but lets an index
 * of the column be used.
 */
export async function tenantCondition(
  pool: Pool,
  { name, baseType }: Column,
  tenant: string,
): Promise<string> {
  const column = escapeIdentifier(name)
  const type = keyCast(baseType)
  const sameText = `${keyPart(type, column)} = ${escapeLiteral(tenant)}`
  if (keyTypeProblem(baseType) !== null || !(await isOfType(pool, tenant, type))) return sameText
  return `${sameText} AND ${column} = ${escapeLiteral(tenant)}::${type}`
}

async function isOfType(pool: Pool, text: string, type: string): Promise<boolean> {
  try {
    await pool.query(`SELECT $1::text::${type}`, [text])
    return true
  } catch (error) {
    if (sqlState(error)?.startsWith('22') === true) return false
    throw error
  }
}

/** A warning when no row is of the tenant: it is probably misspelt. None where that takes long to find out. */
export async function unknownTenant(
  pool: Pool,
  { table }: Pick<DocumentPlan, 'table'>,
  { tenant }: Pick<Filter, 'tenant'>,
  options: RunOptions,
): Promise<string[]> {
  if (tenant === null) return []
  const known = await briefly(pool, async (client) => {
    const { rows } = await client.query<{ known: boolean }>(
      `SELECT EXISTS (SELECT FROM ${quoteTable(table)} WHERE ${tenant}) AS known`,
    )
    return rows[0]?.known === true
  })
  return known === false
    ? [`no row of ${tableText(table)} is of tenant ${JSON.stringify(options.tenant)}`]
    : []
}
