import type pg from 'pg'
import { rollback, setLocal } from '../postgres/transaction.ts'

/**
 * Makes every attempt to commit fail. The SQL that runs here is the application's: a COMMIT that nobody has seen
 * coming (in a procedure, or by a mistake of ours in reading the file) has to be harmless. A deferred trigger fires at
 * the commit, raises, and Postgres takes everything back. PREPARE TRANSACTION is refused for the temporary table.
 */
const guard = `
  CREATE TEMPORARY TABLE sluice_check_guard (only_row boolean);
  CREATE FUNCTION pg_temp.sluice_check_guard() RETURNS trigger LANGUAGE plpgsql AS $guard$
  BEGIN
    RAISE EXCEPTION 'sluice check takes everything back: this statement would have committed it, or have fired deferred triggers early';
  END $guard$;
  CREATE CONSTRAINT TRIGGER sluice_check_guard AFTER INSERT ON pg_temp.sluice_check_guard
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.sluice_check_guard();
  INSERT INTO pg_temp.sluice_check_guard VALUES (true)`

/** Runs `fn` in a transaction that is rolled back whatever happens, on a connection that is not used again. */
export async function inUndoneTransaction<T>(
  pool: pg.Pool,
  settings: Readonly<Record<string, string>>,
  fn: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query(['BEGIN', ...Object.entries(settings).map(setLocal), guard].join('; '))
    return await fn(client)
  } finally {
    await rollback(client)
    client.release(true)
  }
}
