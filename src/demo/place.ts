import type pg from 'pg'
import { uninstall } from '../capture/uninstall.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { FailedError, UsageError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import { inTransaction } from '../postgres/transaction.ts'

/**
 * Where the demo plays: two schemas that it makes, signs and removes. By the signature it knows what an earlier one has
 * left behind, and what is somebody else's.
 */

/** Schema of the demo's tables. */
export const TABLES = 'sluice_demo'
/** Schema of the sluice that keeps them in sync, apart from the user's own. */
export const SYNC = 'sluice_demo_sync'

const SIGNATURE = 'Made by sluice demo, which removes it again.'

/** Of demos alone. */
const LOCK = 7_310_583_922

/** Both servers, without which nothing can be removed. */
interface Servers {
  readonly pool: pg.Pool
  readonly elasticsearch: Elasticsearch
}

/**
 * Keeps the place for one demo of a database at a time; returns what lets it go. Throws a FailedError where another is at
 * work: what that one has made would be taken for left over. A lock of a transaction, for one of a session would stay
 * behind in a pooler; the transaction has no number and no snapshot, so nobody waits for it.
 */
export async function keepPlace(pool: pg.Pool): Promise<() => void> {
  const client = await pool.connect()
  // With its connection the transaction ends.
  const letGo = () => client.release(true)
  try {
    await client.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0')
    const { rows } = await client.query<{ locked: boolean }>(
      'SELECT pg_try_advisory_xact_lock($1) AS locked',
      [LOCK],
    )
    if (rows[0]?.locked === true) return letGo
  } catch (error) {
    letGo()
    throw error
  }
  letGo()
  throw new FailedError('another sluice demo is at work in this database', {
    remedy: 'Wait for its end, or name another database: sluice demo --database-url …',
  })
}

/** Which of the two schemas are there. Throws a UsageError where one of them is not a demo's. */
export async function leftOver(pool: pg.Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string; signed: boolean }>(
    `SELECT nspname AS name, coalesce(obj_description(oid, 'pg_namespace') = $2, false) AS signed
       FROM pg_namespace WHERE nspname = ANY ($1) ORDER BY nspname`,
    [[TABLES, SYNC], SIGNATURE],
  )
  const foreign = rows.filter(({ signed }) => !signed).map(({ name }) => name)
  if (foreign.length > 0) {
    throw new UsageError(`${foreign.join(' and ')} is there already, and no demo has made it`, {
      where: 'schema',
      remedy: `Name another database (sluice demo --database-url …), or rename it: ${foreign.map((name) => `ALTER SCHEMA ${name} RENAME TO …`).join('; ')}`,
    })
  }
  return rows.map(({ name }) => name)
}

/** Makes both schemas, signed from the first moment on. */
export async function makePlace(pool: pg.Pool): Promise<void> {
  try {
    await inTransaction(pool, async (client) => {
      for (const name of [TABLES, SYNC]) {
        await client.query(`CREATE SCHEMA ${name}; COMMENT ON SCHEMA ${name} IS '${SIGNATURE}'`)
      }
    })
  } catch (error) {
    if (sqlState(error) !== '42501') throw error
    throw new FailedError('this role may not make a schema in this database', {
      where: 'DATABASE_URL',
      remedy: 'Let an administrator run: GRANT CREATE ON DATABASE <database> TO <role>. Or name another.',
      cause: error,
    })
  }
}

/** Removes all that a demo has made, in an order in which a second call goes on where the first broke off. */
export async function removePlace({ pool, elasticsearch }: Servers): Promise<void> {
  await uninstall({
    pool,
    elasticsearch,
    schema: SYNC,
    document: null,
    keepIndices: false,
    confirm: async () => true,
    onWait: () => undefined,
  })
  // Nothing to uninstall where the demo came to no install.
  await pool.query(`DROP SCHEMA IF EXISTS ${SYNC} CASCADE`)
  await pool.query(`DROP SCHEMA IF EXISTS ${TABLES} CASCADE`)
}
