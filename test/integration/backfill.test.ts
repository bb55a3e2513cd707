import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RunInterrupted } from '../../src/runs/interrupted.ts'
import { cancelRun } from '../../src/runs/lifecycle.ts'
import { MAX_PENDING_KEYS } from '../../src/runs/pacing.ts'
import { eventually } from '../support/context.ts'
import { backfills } from './backfill-world.ts'
import { drainer, type RunsFixture, runsFixture, SCHEMA } from './runs-fixture.ts'

let db: RunsFixture
const { plans, prepare, begin, end, execute, contextOf, request, taken, runRow, keysOf, cityKeys, complete } =
  backfills(() => db)

beforeAll(async () => {
  db = await runsFixture()
  await prepare()
})
afterAll(() => db.drop())
beforeEach(begin)
afterEach(end)

describe('the walk', () => {
  test('marks every document once, in key order, and none of the rows that have none', async () => {
    await db.pool.query('UPDATE city SET active = false WHERE id % 3 = 0')
    const { run, keys } = await complete('city')
    expect(keys).toEqual(await cityKeys())
    expect(run).toMatchObject({ state: 'done', total: 8000, walked: 8000, processed: 8000, error: null })
    await db.pool.query('UPDATE city SET active = true')
  })

  test('writes array marks of at most 500 keys into the bulk lane, in the name of the run', async () => {
    const { id } = await request('city')
    const abort = new AbortController()
    const running = execute(await taken('a'), contextOf('a'), abort)
    await eventually(async () => (await runRow(id)).cursor?.step === 'drain')
    const { rows } = await db.pool.query(
      `SELECT document, lane, source, op, run_id::text, target, cardinality(keys) AS keys, count(*)::int AS marks,
              bool_and(origin > $1::xid8) AS own_origin
         FROM "${SCHEMA}".sync_queue GROUP BY 1, 2, 3, 4, 5, 6, 7`,
      [(await runRow(id)).origin],
    )
    expect(rows).toEqual([
      {
        document: 'city',
        lane: 1,
        source: '',
        op: 'backfill',
        run_id: id,
        target: null,
        keys: 500,
        marks: 24,
        own_origin: true,
      },
    ])
    abort.abort(new RunInterrupted('released'))
    expect(await running).toBe('released')
  })

  test('follows a composite key in the order of its index, whatever its texts hold', async () => {
    const { run, keys } = await complete('street')
    expect(keys).toEqual(
      await keysOf('SELECT jsonb_build_array(city, no::text)::text AS key FROM street ORDER BY no, city'),
    )
    expect(run).toMatchObject({ state: 'done', total: 9000 })
  })

  test('of an empty table is done at once', async () => {
    const { run, keys } = await complete('nothing')
    expect(keys).toEqual([])
    expect(run).toMatchObject({ state: 'done', total: 0, walked: 0 })
  })

  test('never has more than its share of keys in the queue', async () => {
    await db.pool.query(`
      CREATE TABLE peak (keys bigint);
      CREATE FUNCTION measure() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO peak SELECT sum(cardinality(keys)) FROM "${SCHEMA}".sync_queue; RETURN NULL; END $$;
      CREATE TRIGGER measure AFTER INSERT ON "${SCHEMA}".sync_queue FOR EACH STATEMENT EXECUTE FUNCTION measure()`)
    const { run, keys } = await complete('many')
    await db.pool.query(`DROP TRIGGER measure ON "${SCHEMA}".sync_queue`)
    const { rows } = await db.pool.query('SELECT max(keys)::int AS peak FROM peak')
    expect(rows[0].peak).toBeLessThanOrEqual(MAX_PENDING_KEYS)
    expect(rows[0].peak).toBeGreaterThan(0)
    expect(keys).toHaveLength(60_000)
    expect(run).toMatchObject({ state: 'done', walked: 60_000 })
  })

  test('waits at its share while nothing drains, and is not done before its last mark is settled', async () => {
    const { id } = await request('many')
    const running = execute(await taken('a'), contextOf('a'))
    await eventually(async () => (await runRow(id)).walked === MAX_PENDING_KEYS)
    const drained = drainer(db.pool, { until: 59_500 })
    await eventually(async () => (await runRow(id)).cursor?.step === 'drain')
    await drained.reached
    expect(await runRow(id)).toMatchObject({ state: 'running', walked: 60_000, processed: 59_500 })
    const rest = drainer(db.pool)
    expect(await running).toBe('done')
    await rest.stop()
    await drained.stop()
  })
})

test('a cancelled run stops; the marks it has written stay', async () => {
  const { id } = await request('many')
  const running = execute(await taken('a'), contextOf('a'))
  await eventually(async () => (await runRow(id)).walked === MAX_PENDING_KEYS)
  expect(await cancelRun(db.pool, SCHEMA, id)).toMatchObject({ state: 'cancelling' })
  expect(await running).toBe('cancelled')
  expect(await runRow(id)).toMatchObject({ state: 'cancelled', walked: MAX_PENDING_KEYS })
  const { rows } = await db.pool.query(
    `SELECT sum(cardinality(keys))::int AS keys FROM "${SCHEMA}".sync_queue`,
  )
  expect(rows[0].keys).toBe(MAX_PENDING_KEYS)
})

test('a run whose document cannot be read fails, with the reason', async () => {
  const { id } = await request('nothing')
  const broken = new Map([...plans].map(([name, plan]) => [name, { ...plan, view: 'no_such_view' }]))
  const outcome = await execute(await taken('a'), { ...contextOf('a'), plans: broken })
  expect(outcome).toBe('failed')
  expect(await runRow(id)).toMatchObject({ state: 'failed', error: expect.stringContaining('no_such_view') })
})
