import pg, { type QueryResult, type QueryResultRow } from 'pg'
import { FailedError } from '../errors.ts'
import type { Queryable, SharedSnapshot } from './types.ts'

export interface TransactionOptions {
  /** Postgres settings for this transaction alone: session settings do not survive a pooler. */
  readonly settings?: Readonly<Record<string, string>>
  /** Of a SharedSnapshot: what the transaction sees. */
  readonly snapshot?: SharedSnapshot | undefined
}

/** Runs `fn` in a transaction on a client of its own: commits when it resolves, rolls back when it rejects. */
export async function inTransaction<T>(
  pool: pg.Pool,
  fn: (client: pg.PoolClient) => Promise<T>,
  { settings = {}, snapshot }: TransactionOptions = {},
): Promise<T> {
  const client = await pool.connect()
  let clean = false
  try {
    await client.query([begin(snapshot), ...Object.entries(settings).map(setLocal)].join('; '))
    const result = await fn(client)
    await commit(client)
    clean = true
    return result
  } catch (error) {
    clean = await rollback(client)
    throw error
  } finally {
    client.release(!clean)
  }
}

/** `BEGIN`, and what has to come before any other statement. */
export function begin(snapshot: SharedSnapshot | undefined, mode = ''): string {
  if (snapshot === undefined) return `BEGIN ${mode}`
  return `BEGIN ISOLATION LEVEL REPEATABLE READ ${mode}; SET TRANSACTION SNAPSHOT ${pg.escapeLiteral(snapshot.id)}`
}

/**
 * Text of a statement that sets one setting until the transaction ends, and does not send its value back. No `SET`: with each
 * value that is another statement to `pg_stat_statements`.
 */
export function setLocal([name, value]: readonly [name: string, value: string]): string {
  return `SELECT set_config(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)}, true) IS NULL`
}

/** Commits, or throws. Postgres answers the COMMIT of a failed transaction with a ROLLBACK, and no error. */
export async function commit(client: Queryable): Promise<void> {
  const { command } = await client.query('COMMIT')
  if (command !== 'COMMIT') {
    throw new FailedError('the transaction was rolled back: one of its statements had failed')
  }
}

/** Never throws. False when the client is of no further use. */
export async function rollback(client: Queryable): Promise<boolean> {
  try {
    await client.query('ROLLBACK')
    return true
  } catch {
    return false
  }
}

/** pg answers several statements in one text with an array, which its types do not say. */
export function allResults<Row extends QueryResultRow>(
  result: QueryResult<Row> | readonly QueryResult<Row>[],
): readonly QueryResult<Row>[] {
  return 'rows' in result ? [result] : result
}

export function lastResult<Row extends QueryResultRow>(
  result: QueryResult<Row> | readonly QueryResult<Row>[],
): QueryResult<Row> | undefined {
  return allResults(result).at(-1)
}
