import { escapeIdentifier, escapeLiteral, type Pool } from 'pg'
import { parseSnippet } from '../catalog/parse-snippet.ts'
import { readCatalog } from '../catalog/read-catalog.ts'
import { suggest } from '../catalog/suggest.ts'
import { tableText } from '../catalog/table-name.ts'
import type { Column, Table } from '../catalog/types.ts'
import { createIndex } from '../documents/missing-indexes.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { UsageError } from '../errors.ts'
import { resolveSince, type Since } from './since.ts'
import { tenantColumn, tenantCondition } from './tenant-rows.ts'
import type { RunOptions } from './types.ts'

/** Which rows a backfill takes, as SQL conditions over the root row. */
export interface Filter {
  /** Empty: all documents. */
  readonly conditions: readonly string[]
  /** The one of them that chooses a tenant. */
  readonly tenant: string | null
  /** What makes it slow, for people. */
  readonly warnings: readonly string[]
}

const ALL: Filter = { conditions: [], tenant: null, warnings: [] }

/**
 * Options → conditions, checked against the catalog as it is now. Throws a UsageError (a ConfigError for SQL that Postgres
 * refuses) that names the option. Every text of the user's goes through parseSnippet or is quoted: an option is one
 * expression over one row, and can be no other statement.
 */
export async function readFilter(
  pool: Pool,
  plan: DocumentPlan,
  options: RunOptions,
  requestedAt: string | null,
): Promise<Filter> {
  const { where, since, column, tenant } = options
  if ([where, since, column, tenant].every((option) => option === undefined)) return ALL
  const table = (await readCatalog(pool)).table(plan.table)
  if (table === undefined) {
    throw new UsageError(`table ${tableText(plan.table)} is not there any more`, {
      where: plan.document,
      remedy: 'Was it renamed? Change the configuration and run sluice install.',
    })
  }
  const conditions: string[] = []
  const warnings: string[] = []
  if (since !== undefined || column !== undefined) {
    const changed = sinceColumn(table, options)
    const moment = await resolveSince(pool, since ?? '', requestedAt)
    conditions.push(`${escapeIdentifier(changed.name)} >= ${bound(changed, moment)}`)
    warnings.push(...(await missingIndex(pool, table, changed)))
  }
  let ofTenant: string | null = null
  if (tenant !== undefined) {
    const telling = tenantColumn(table, plan)
    ofTenant = await tenantCondition(pool, telling, tenant)
    conditions.push(ofTenant)
    warnings.push(...(await missingIndex(pool, table, telling)))
  }
  if (where !== undefined) conditions.push(await checkedWhere(pool, table, where))
  return { conditions, tenant: ofTenant, warnings }
}

function sinceColumn(table: Table, { since, column }: RunOptions): Column {
  const name = tableText(table)
  if (since === undefined) throw new UsageError('needs --since', { where: '--column' })
  if (column === undefined) {
    throw new UsageError(`needs --column: the column of ${name} that tells when a row changed`, {
      where: '--since',
    })
  }
  const found = table.columns.find((candidate) => candidate.name === column)
  if (found === undefined) {
    const names = table.columns.map((candidate) => candidate.name)
    throw new UsageError(`${name} has no column "${column}"${suggest(column, names)}`, { where: '--column' })
  }
  if (found.baseType.array || !(found.baseType.name in BOUNDS)) {
    throw new UsageError(`${name}.${column} is ${found.type}; a date or a timestamp is needed`, {
      where: '--column',
    })
  }
  return found
}

const BOUNDS: Readonly<Record<string, (since: Since) => string>> = {
  timestamptz: ({ instant }) => `${escapeLiteral(instant)}::timestamptz`,
  timestamp: ({ local }) => `${escapeLiteral(local)}::timestamp`,
  date: ({ local }) => `${escapeLiteral(local)}::date`,
}

function bound(column: Column, since: Since): string {
  const text = BOUNDS[column.baseType.name]?.(since)
  if (text === undefined) throw new UsageError(`${column.name} is ${column.type}`, { where: '--column' })
  return text
}

/** An index that begins with the column and holds all rows lets Postgres find the few recent ones. */
async function missingIndex(pool: Pool, table: Table, column: Column): Promise<string[]> {
  // A view's rows come from where it says.
  if (table.kind === 'v') return []
  const { rows } = await pool.query<{ indexed: boolean }>(
    `SELECT EXISTS (
       SELECT FROM pg_catalog.pg_index i
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = $1 AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL) AS indexed`,
    [table.oid, column.name],
  )
  if (rows[0]?.indexed === true) return []
  const remedy = createIndex(table, [column.name])
  return [
    `no index begins with ${tableText(table)}.${column.name}: the walk reads the whole table. ${remedy}`,
  ]
}

async function checkedWhere(pool: Pool, table: Table, where: string): Promise<string> {
  const client = await pool.connect()
  try {
    const parsed = await parseSnippet(client, table, where, '--where')
    if (parsed.baseType.name !== 'bool' || parsed.baseType.array) {
      throw new UsageError(`is ${parsed.type}; a condition is needed`, { where: '--where' })
    }
    return parsed.sql
  } finally {
    client.release()
  }
}
