import { takeRun } from '../../src/runs/lifecycle.ts'
import { readRun } from '../../src/runs/read-runs.ts'
import type { Run } from '../../src/runs/types.ts'
import { addDocument, type RunsFixture, runsFixture, SCHEMA } from './runs-fixture.ts'

const BOTH = ['city', 'line']

/** Two documents without rows. */
export async function lifecycleDatabase(): Promise<RunsFixture> {
  const db = await runsFixture()
  await db.pool.query('CREATE TABLE city (id bigint PRIMARY KEY); CREATE TABLE line (id bigint PRIMARY KEY)')
  await addDocument(db.pool, { document: 'city', key: [{ name: 'id', type: 'pg_catalog.int8' }] })
  await addDocument(db.pool, { document: 'line', key: [{ name: 'id', type: 'pg_catalog.int8' }] })
  return db
}

/** Runs that nobody executes. `db` is asked for whenever something is done: a hook makes it. */
export function lifecycles(db: () => RunsFixture) {
  /** None, and both documents in order. */
  async function begin(): Promise<void> {
    await db().pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
    await db().pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'active', alarm = NULL`)
  }

  async function request(document: string, extra: Record<string, unknown> = {}): Promise<string> {
    const columns = { kind: 'backfill', document, ...extra }
    const names = Object.keys(columns)
    const { rows } = await db().pool.query<{ id: string }>(
      `INSERT INTO "${SCHEMA}".sync_run (${names.join()}) VALUES (${names.map((_, n) => `$${n + 1}`).join()}) RETURNING id`,
      Object.values(columns),
    )
    return String(rows[0]?.id)
  }

  const take = (instance: string, documents = BOTH) => takeRun(db().pool, SCHEMA, instance, documents)
  const get = async (id: string): Promise<Run> => {
    const run = await readRun(db().pool, SCHEMA, id)
    if (run === null) throw new Error(`no run ${id}`)
    return run
  }
  async function taken(instance: string): Promise<Run> {
    const run = await take(instance)
    if (run === null) throw new Error('nothing to take')
    return run
  }
  /** As if the worker had died that long ago, by the database's clock. */
  const silentFor = (id: string, interval: string) =>
    db().pool.query(
      `UPDATE "${SCHEMA}".sync_run SET heartbeat_at = clock_timestamp() - $2::interval WHERE id = $1`,
      [id, interval],
    )

  return { begin, request, take, get, taken, silentFor }
}
