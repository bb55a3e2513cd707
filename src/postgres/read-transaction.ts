import type { PoolClient } from 'pg'
import { sqlState } from './connect.ts'
import { readConditions } from './read-settings.ts'
import { begin, lastResult, rollback, setLocal } from './transaction.ts'
import type { SharedSnapshot } from './types.ts'
import { serverSql } from './version.ts'

/** What a short read of the application's tables returned, and the server that it met (invariant 6). */
export interface Read<T> {
  readonly result: T
  readonly server: string
}

export interface ReadOptions {
  readonly timeoutMs: number
  /** It looks up rows by keys, for which there are indexes. */
  readonly ridesIndexes: boolean
  /** Of the transaction, by name; their values may be long. */
  readonly settings?: Readonly<Record<string, string>>
  /** What it sees. Default: what is committed when it begins. */
  readonly snapshot?: SharedSnapshot | undefined
}

/**
 * Left to itself, Postgres reads a small table whole for every row that is looked up in it: a country of 250 in 57 µs,
 * by its index in 11. 1,000 documents of a root, a country and three children: 55 ms instead of 95.
 */
const RIDE_INDEXES = ' SET LOCAL enable_seqscan = off;'

/**
 * A read of the application's tables in a short transaction of its own, so that no lock on them outlives it
 * (invariant 9). Never on a replica, where pg_current_wal_lsn() raises: what is absent there need not be absent.
 */
export async function readOnly<T>(
  client: PoolClient,
  { timeoutMs, ridesIndexes, settings = {}, snapshot }: ReadOptions,
  read: () => Promise<T>,
): Promise<Read<T>> {
  try {
    const begun = await client.query<{ server: string }>(
      `${begin(snapshot, 'READ ONLY')}; ${readConditions}; ${patience(timeoutMs)};${ridesIndexes ? RIDE_INDEXES : ''}
       ${Object.entries(settings)
         .map((setting) => `${setLocal(setting)};`)
         .join(' ')} SELECT ${serverSql} AS server`,
    )
    const result = await read()
    await client.query('COMMIT')
    return { result, server: lastResult(begun)?.rows[0]?.server ?? 'unknown' }
  } catch (error) {
    await rollback(client)
    throw error
  }
}

/**
 * How long a statement may take, and how long it waits for locks: less, so that a table locked by a migration (55P03) is told
 * from a query that is too slow (57014).
 */
export function patience(timeoutMs: number): string {
  // 0 would be no limit.
  const most = Math.max(1, Math.trunc(timeoutMs))
  return `SET LOCAL statement_timeout = ${most}; SET LOCAL lock_timeout = ${Math.ceil(most / 2)}`
}

/** Data exceptions (class 22: overflow, invalid text, division by zero) and 54000 (a value too large) are some value's fault. */
export function isDataError(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && (state.startsWith('22') || state === '54000')
}

/** The statement took longer than its time-out, or an operator cancelled it. */
export function isCancelled(error: unknown): boolean {
  return sqlState(error) === '57014'
}
