import type pg from 'pg'
import { quoteLiteral } from '../catalog/quote.ts'
import { inTransaction } from '../postgres/transaction.ts'

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
  const key = `hashtext('sluice install'), hashtext(${quoteLiteral(schema)})`
  return inTransaction(
    pool,
    async (lock) => {
      const { rows } = await lock.query<{ free: boolean }>(`SELECT pg_try_advisory_xact_lock(${key}) AS free`)
      if (!rows[0]?.free) {
        onWait('another install or uninstall is under way, waiting for it')
        await lock.query(`SELECT pg_advisory_xact_lock(${key})`)
      }
      return run()
    },
    { settings: { idle_in_transaction_session_timeout: '0' } },
  )
}
