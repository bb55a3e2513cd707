import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { claimMarks } from '../../src/queue/claim-marks.ts'
import { markRoots } from '../../src/queue/mark-roots.ts'
import { runBatch } from '../../src/sync/batch.ts'
import { eventually } from '../support/context.ts'
import { createExpandWorld, type ExpandWorld, largeExpansions, views } from './expand-world.ts'
import { SCHEMA } from './sync-world.ts'

/** Marks that lead to more documents than go into one batch, where several daemons want them, or they cannot be turned. */

let world: ExpandWorld
const { run, ownMany, keysOf, restoreView } = largeExpansions(() => world)

beforeAll(async () => {
  world = await createExpandWorld()
  await world.database.pool.query(
    `CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       IF NEW.lane = 1 THEN PERFORM pg_advisory_xact_lock(4711); END IF;
       RETURN NEW;
     END $$`,
  )
})
afterAll(() => world.drop())
beforeEach(() => world.clear())
afterEach(() => world.database.pool.query(`DROP TRIGGER IF EXISTS hold_up ON "${SCHEMA}".sync_queue`))
const runs = async () =>
  (await world.database.pool.query(`SELECT kind, reason, origin::text FROM "${SCHEMA}".sync_run`)).rows

/** Whoever writes bulk marks waits until the returned function is called. */
const holdUp = async () => {
  const { pool } = world.database
  await pool.query(
    `CREATE TRIGGER hold_up BEFORE INSERT ON "${SCHEMA}".sync_queue FOR EACH ROW EXECUTE FUNCTION hold_up()`,
  )
  const holder = await pool.connect()
  await holder.query('SELECT pg_advisory_lock(4711)')
  return async () => {
    await holder.query('SELECT pg_advisory_unlock(4711)')
    holder.release()
  }
}

/** Process that waits for `holdUp`. */
const heldUp = () =>
  eventually(async () => {
    const { rows } = await world.database.pool.query<{ pid: number }>(
      "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted",
    )
    return rows[0]?.pid ?? null
  })

describe('when two daemons meet on such a mark', () => {
  test('it is turned once', async () => {
    await ownMany('ann', 600)
    await world.mark({ source: 'owner', keys: ['ann'] })
    const results = await Promise.all([run(), run(), run(), run()])
    const turned = results.map((result) => (result.outcome === 'expanded' ? result.turned : 0))
    expect(turned.reduce((a, b) => a + b)).toBe(1)
    expect(await keysOf()).toHaveLength(600)
  })

  test('the second finds nothing while the first one turns it', async () => {
    await ownMany('ann', 150)
    await world.mark({ source: 'owner', keys: ['ann'] })
    const goOn = await holdUp()
    const first = run()
    await heldUp()
    expect(await run()).toEqual({ outcome: 'empty' })
    await goOn()
    expect(await first).toMatchObject({ outcome: 'expanded', turned: 1 })
    expect(await keysOf()).toHaveLength(150)
  })

  test('what another one took in between is left to it', async () => {
    const { pool } = world.context
    await ownMany('ann', 150)
    await world.mark({ source: 'owner', keys: ['ann'] })
    const [mark] = await world.marks()
    const [mine, others] = [await pool.connect(), await pool.connect()]
    const taking = { document: 'thing', lane: 0, maxKeys: 1000, idleTimeoutMs: 10_000 } as const
    try {
      expect(await claimMarks(others, SCHEMA, taking)).not.toBeNull()
      const marks = [{ id: mark?.id ?? '', target: null, runId: null }]
      const large = [{ marks, roots: `SELECT key FROM "${SCHEMA}"."${views.owner}"` }]
      const turned = await markRoots(mine, SCHEMA, { document: 'thing', lane: 0, large, timeoutMs: 10_000 })
      expect(turned).toBe(0)
    } finally {
      await others.query('ROLLBACK')
      mine.release()
      others.release()
    }
    expect(await world.marks()).toMatchObject([{ source: 'owner', keys: ['ann'], lane: 0 }])
  })
})

describe('when such a mark cannot be turned', () => {
  test('because the connection is cut off, it stays', async () => {
    await ownMany('ann', 150)
    await world.mark({ source: 'owner', keys: ['ann'] })
    const before = await world.marks()
    const goOn = await holdUp()
    const batch = run()
    await world.database.pool.query('SELECT pg_terminate_backend($1)', [await heldUp()])
    expect(await batch).toMatchObject({ outcome: 'given-back', obstacle: { scope: 'postgres' } })
    await goOn()
    expect(await world.marks()).toEqual(before)
    expect(await run()).toMatchObject({ outcome: 'expanded', turned: 1 })
  })

  test('because its documents take too long to list, a verify looks at all there are', async () => {
    const { pool } = world.database
    await ownMany('ann', 150)
    await pool.query(
      `CREATE OR REPLACE FUNCTION take_long(owner text) RETURNS text LANGUAGE plpgsql COST 1 AS $$
       BEGIN
         -- The look at a hundred is quick, the list of all is not.
         IF current_setting('transaction_read_only') = 'off' THEN PERFORM pg_sleep(60); END IF;
         RETURN owner;
       END $$`,
    )
    await pool.query(
      `CREATE OR REPLACE VIEW "${SCHEMA}"."${views.owner}" AS
         SELECT o.owner AS link_1, take_long(o.thing_id::text) AS key FROM ownership o`,
    )
    await world.mark({ source: 'owner', keys: ['ann'], origin: '77' })
    await world.mark({ keys: ['1'] })
    const limits = { ...world.context.limits, requestTimeout: 500 }
    const result = await runBatch({ ...world.context, limits }, world.related)
    await restoreView('owner')
    const reason = 'the documents of owner cannot be listed: it takes longer than REQUEST_TIMEOUT'
    expect(result).toEqual({ outcome: 'expanded', turned: 1, verify: reason })
    expect(await runs()).toEqual([{ kind: 'verify', reason, origin: '77' }])
    expect(await world.marks()).toMatchObject([{ source: '', keys: ['1'] }])
  })

  test('because one of its documents cannot be read, a verify looks at all there are', async () => {
    const { pool } = world.database
    await ownMany('ann', 150)
    await pool.query(
      `CREATE OR REPLACE VIEW "${SCHEMA}"."${views.owner}" AS
         SELECT o.owner AS link_1, (300 / (140 - o.thing_id))::text AS key FROM ownership o`,
    )
    await world.mark({ source: 'owner', keys: ['ann'] })
    const result = await run()
    await restoreView('owner')
    const reason = 'the documents of owner cannot be listed: SQLSTATE 22012'
    expect(result).toEqual({ outcome: 'expanded', turned: 1, verify: reason })
    expect(await runs()).toMatchObject([{ kind: 'verify', reason }])
    expect(await world.marks()).toEqual([])
  })

  test('because even a look at a hundred takes too long, it is turned without that look', async () => {
    const { pool } = world.database
    await ownMany('ann', 10)
    await pool.query(
      `CREATE OR REPLACE FUNCTION take_long(owner text) RETURNS text LANGUAGE plpgsql COST 1 AS $$
       BEGIN
         IF current_setting('transaction_read_only') = 'on' THEN PERFORM pg_sleep(60); END IF;
         RETURN owner;
       END $$`,
    )
    await pool.query(
      `CREATE OR REPLACE VIEW "${SCHEMA}"."${views.owner}" AS
         SELECT o.owner AS link_1, take_long(o.thing_id::text) AS key FROM ownership o`,
    )
    await world.mark({ source: 'owner', keys: ['ann'] })
    const limits = { ...world.context.limits, requestTimeout: 500 }
    const result = await runBatch({ ...world.context, limits }, world.related)
    await restoreView('owner')
    expect(result).toEqual({ outcome: 'expanded', turned: 1, verify: null })
    expect(await keysOf()).toHaveLength(10)
  })

  test('because its view is gone, the document waits and the mark stays', async () => {
    const { pool } = world.database
    await ownMany('ann', 150)
    await world.mark({ source: 'owner', keys: ['ann'] })
    const before = await world.marks()
    const roots = `SELECT key FROM "${SCHEMA}"."no such view"`
    const client = await world.context.pool.connect()
    const marks = [{ id: before[0]?.id ?? '', target: null, runId: null }]
    const large = [{ marks, roots }]
    await expect(
      markRoots(client, SCHEMA, { document: 'thing', lane: 0, large, timeoutMs: 10_000 }),
    ).rejects.toMatchObject({ code: '42P01' })
    client.release()
    expect(await world.marks()).toEqual(before)
    expect(await pool.query(`SELECT FROM "${SCHEMA}".sync_failed`)).toMatchObject({ rowCount: 0 })
  })
})
