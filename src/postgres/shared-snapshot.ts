import type pg from 'pg'
import { isConnectionError } from './connect.ts'
import { inTransaction } from './transaction.ts'
import type { SharedSnapshot } from './types.ts'

/** A process that hangs holds it no longer than this between two touches, in milliseconds. */
const IDLE_TIMEOUT_MS = 60_000

/**
 * Holds the state of now while `fn` runs, in a transaction that touches no table: readers lock tables for as long as each of
 * them takes, so no ALTER TABLE waits longer than for one page (invariant 9). What it does hold back is vacuum, of the whole
 * database: `fn` has to end within minutes. Where it fails because the snapshot is lost, what is thrown is the loss of its
 * connection: of a snapshot without a session Postgres only says that it does not exist, which no later attempt would mend.
 */
export function withSharedSnapshot<T>(
  pool: pg.Pool,
  fn: (snapshot: SharedSnapshot) => Promise<T>,
): Promise<T> {
  return inTransaction(
    pool,
    async (client) => {
      const { rows } = await client.query<{ id: string }>('SELECT pg_export_snapshot() AS id')
      const [exported] = rows
      if (exported === undefined) throw new Error('pg_export_snapshot returned nothing')
      const touch = async () => {
        await client.query('SELECT')
      }
      try {
        return await fn({ id: exported.id, touch })
      } catch (error) {
        const lost: unknown = await touch().catch((reason: unknown) => reason)
        throw isConnectionError(lost) ? lost : error
      }
    },
    { settings: { idle_in_transaction_session_timeout: String(IDLE_TIMEOUT_MS) } },
  )
}
