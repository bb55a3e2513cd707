import type pg from 'pg'
import { sqlState } from '../postgres/connect.ts'
import { READ_SETTINGS } from '../postgres/read-settings.ts'
import { inTransaction } from '../postgres/transaction.ts'

/** As long as somebody at a terminal waits without wondering. */
const BRIEFLY_MS = 2_000

/** Statement or lock time-out, missing privilege. */
const NOT_NOW: ReadonlySet<string | undefined> = new Set(['57014', '55P03', '42501'])

/**
 * Reads something of the application's tables that is good to know and not needed: null when that takes more than two
 * seconds, a lock is in the way, or whoever asks may not read them, as the daemon may.
 */
export async function briefly<T>(
  pool: pg.Pool,
  read: (client: pg.PoolClient) => Promise<T>,
): Promise<T | null> {
  const settings = { ...READ_SETTINGS, statement_timeout: `${BRIEFLY_MS}`, lock_timeout: `${BRIEFLY_MS}` }
  try {
    return await inTransaction(pool, read, { settings })
  } catch (error) {
    if (NOT_NOW.has(sqlState(error))) return null
    throw error
  }
}
