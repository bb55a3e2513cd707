import pg from 'pg'
import { quoteIdentifier, quoteLiteral } from '../catalog/quote.ts'
import type { Column, Table } from '../catalog/types.ts'
import { refusalsOf } from '../documents/problem-sql.ts'
import { rollback } from '../postgres/transaction.ts'

/** A column with values that no index takes: a row with one becomes no document, but a dead letter. */
export interface RefusedValues {
  readonly column: string
  /** What they are, and that Elasticsearch has no such thing. */
  readonly reason: string
}

/** Rows that are looked at. The first ones, whichever they are: it is a hint, and no table is read as a whole for it. */
const SAMPLE = 1000

/** Of one look at one table: its first rows may lie behind a million dead ones, or behind somebody's lock. */
const LIMITS = 'SET LOCAL statement_timeout = 1000; SET LOCAL lock_timeout = 200'

/**
 * Values that Elasticsearch cannot hold, as far as the first thousand rows and the planner's statistics show them. The
 * statistics (common values, and the least and the greatest of ANALYZE's sample) are where `infinity` and NaN are found in a
 * table of any size. What cannot be looked at (a lock, a grant, too slow) is passed over.
 * @param columns those of the table that become fields
 */
export async function findRefusedValues(
  pool: pg.Pool,
  table: Table,
  columns: readonly Column[],
): Promise<readonly RefusedValues[]> {
  const client = await pool.connect()
  try {
    const { rows } = await client.query<{ v: number }>(
      "SELECT current_setting('server_version_num')::int AS v",
    )
    const checks = columns.flatMap((column) => checksOf(column, rows[0]?.v ?? 0))
    if (checks.length === 0) return []
    const seen = [
      await look(client, statisticsSql(table, checks)),
      await look(client, sampleSql(table, checks)),
    ]
    return checks
      .filter((_, n) => seen.some((found) => found.has(n)))
      .map(({ column, reason }) => ({ column: column.name, reason }))
  } finally {
    client.release()
  }
}

interface Check extends RefusedValuesOf {
  /** SQL that is true of such a value. */
  readonly condition: (value: string) => string
}

interface RefusedValuesOf {
  readonly column: Column
  readonly reason: string
}

/** Of `json`, where jsonb has dropped all but the last. Postgres 15 cannot say it. */
const uniqueKeysSince = 160_000

function checksOf(column: Column, serverVersion: number): readonly Check[] {
  const { name, schema, array } = column.baseType
  if (name === 'json' && schema === 'pg_catalog' && !array) {
    const reason = 'JSON in which a name stands twice: Elasticsearch refuses a duplicate field'
    const condition = (value: string) => `${value} IS NOT JSON WITH UNIQUE KEYS`
    return serverVersion < uniqueKeysSince ? [] : [{ column, reason, condition }]
  }
  return refusalsOf(column.baseType).map(([reason, condition]) => ({ column, reason, condition }))
}

/** Numbers of the checks that found something; none where it could not be looked. */
async function look(client: pg.PoolClient, sql: string | null): Promise<ReadonlySet<number>> {
  if (sql === null) return new Set()
  try {
    await client.query(`BEGIN READ ONLY; ${LIMITS}`)
    const { rows } = await client.query<{ n: number }>(sql)
    return new Set(rows.map(({ n }) => n))
  } catch (error) {
    if (error instanceof pg.DatabaseError) return new Set()
    throw error
  } finally {
    await rollback(client)
  }
}

function sampleSql(table: Table, checks: readonly Check[]): string {
  const names = [...new Set(checks.map(({ column }) => quoteIdentifier(column.name)))]
  const from = `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`
  const values = checks.map(
    ({ column, condition }, n) => `(${n}, ${condition(`sample.${quoteIdentifier(column.name)}`)})`,
  )
  return `SELECT DISTINCT found.n FROM (SELECT ${names.join(', ')} FROM ${from} LIMIT ${SAMPLE}) AS sample,
                 LATERAL (VALUES ${values.join(', ')}) AS found (n, holds)
           WHERE found.holds`
}

/** Types whose statistics are in their order, so that what is infinite is at an end of them. */
const ordered = new Set(['date', 'timestamp', 'timestamptz', 'float4', 'float8', 'numeric'])

function statisticsSql(table: Table, checks: readonly Check[]): string | null {
  const parts = checks.flatMap(({ column, condition }, n) => {
    const { name, schema, array } = column.baseType
    if (schema !== 'pg_catalog' || array || !ordered.has(name)) return []
    const values = (from: string) => `coalesce(s.${from}::text::pg_catalog.${name}[], '{}')`
    return `SELECT ${n} AS n FROM pg_catalog.pg_stats s,
                   pg_catalog.unnest(${values('most_common_vals')} || ${values('histogram_bounds')}) AS v (value)
             WHERE s.schemaname = ${quoteLiteral(table.schema)} AND s.tablename = ${quoteLiteral(table.name)}
               AND s.attname = ${quoteLiteral(column.name)} AND ${condition('v.value')}`
  })
  return parts.length === 0 ? null : parts.join(' UNION ')
}
