import type pg from 'pg'
import { quoteLiteral } from '../catalog/quote.ts'
import { inTransaction } from '../postgres/transaction.ts'
import type { Queryable } from '../postgres/types.ts'

/**
 * One `install` or `uninstall` of a schema at a time. A lock of a transaction that stays open and idle meanwhile, for
 * session locks do not survive a pooler. It reads nothing, so it holds no snapshot and keeps vacuum from nothing.
 */
export async function withInstallLock<T>(
  pool: pg.Pool,
  schema: string,
  onWait: (message: string) => void,
  run: () => Promise<T>,
): Promise<T> {
  return inTransaction(
    pool,
    async (lock) => {
      if (!(await tryInstallLock(lock, schema))) {
        onWait('another install or uninstall is under way, waiting for it')
        await lock.query(`SELECT pg_advisory_xact_lock(${keys(schema)})`)
      }
      return run()
    },
    { settings: { idle_in_transaction_session_timeout: '0' } },
  )
}

/** Takes it until the end of the transaction; false where another has it. */
export async function tryInstallLock(db: Queryable, schema: string): Promise<boolean> {
  const { rows } = await db.query<{ free: boolean }>(
    `SELECT pg_try_advisory_xact_lock(${keys(schema)}) AS free`,
  )
  return rows[0]?.free === true
}

function keys(schema: string): string {
  return `hashtext('sluice install'), hashtext(${quoteLiteral(schema)})`
}
