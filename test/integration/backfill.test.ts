import type pg from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { createPool, isConnectionError } from '../../src/postgres/connect.ts'
import type { RunContext } from '../../src/runs/context.ts'
import { executeRun, type RunOutcome } from '../../src/runs/execute.ts'
import { readFilter } from '../../src/runs/filter.ts'
import { RunInterrupted } from '../../src/runs/interrupted.ts'
import { cancelRun, takeRun } from '../../src/runs/lifecycle.ts'
import { MAX_PENDING_KEYS } from '../../src/runs/pacing.ts'
import { readRun, readRuns, readWaits } from '../../src/runs/read-runs.ts'
import { requestBackfill } from '../../src/runs/request-backfill.ts'
import { RunLoop } from '../../src/runs/run-loop.ts'
import type { Run, RunOptions } from '../../src/runs/types.ts'
import { eventually } from '../support/context.ts'
import { addDocument, drainer, type RunsFixture, runsFixture, SCHEMA, stopDrainers } from './runs-fixture.ts'

let db: RunsFixture
const plans = new Map<string, DocumentPlan>()
const log = pino({ level: 'silent' })
const elasticsearch = new Proxy({} as RunContext['elasticsearch'], {
  get: (_, name) => {
    throw new Error(`a backfill does not ask Elasticsearch: ${String(name)}`)
  },
})
const int8 = 'pg_catalog.int8'
const text = 'pg_catalog.text'

beforeAll(async () => {
  db = await runsFixture()
  await db.pool.query(`
    CREATE TABLE city (id bigint PRIMARY KEY, name text, active boolean NOT NULL DEFAULT true,
                       changed_at timestamptz, local_at timestamp, day date, tenant int GENERATED ALWAYS AS (id % 3) STORED);
    INSERT INTO city (id, name, changed_at, local_at, day)
    SELECT n, 'city ' || n, clock_timestamp() - n * interval '1 minute', localtimestamp - n * interval '1 minute',
           current_date - n / 10
      FROM generate_series(1, 12000) n;
    CREATE TABLE street (city text, no bigint, PRIMARY KEY (no, city));
    INSERT INTO street SELECT c, n FROM generate_series(1, 3000) n, unnest(ARRAY['a"b', 'ü, x', E'tab\\t']) c;
    CREATE TABLE nothing (id bigint PRIMARY KEY);
    CREATE TABLE few (id bigint PRIMARY KEY); INSERT INTO few VALUES (1);
    CREATE TABLE single (id bigint PRIMARY KEY); INSERT INTO single VALUES (1);
    CREATE TABLE many (id bigint PRIMARY KEY);
    INSERT INTO many SELECT generate_series(1, 60000)`)
  const add = async (document: Parameters<typeof addDocument>[1]) =>
    plans.set(document.document, await addDocument(db.pool, document))
  await add({ document: 'city', key: [{ name: 'id', type: int8 }], where: 'active', tenant: 'tenant' })
  await add({ document: 'few', key: [{ name: 'id', type: int8 }] })
  await add({ document: 'single', key: [{ name: 'id', type: int8 }] })
  await add({ document: 'nothing', key: [{ name: 'id', type: int8 }] })
  await add({ document: 'many', key: [{ name: 'id', type: int8 }] })
  await add({
    document: 'street',
    key: [
      { name: 'city', type: text },
      { name: 'no', type: int8 },
    ],
    walkOrder: [1, 0],
  })
})
afterAll(() => db.drop())
beforeEach(async () => {
  await emptied()
  await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'active'`)
})

async function emptied(): Promise<void> {
  await db.pool.query(`DELETE FROM "${SCHEMA}".sync_queue`)
  await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
}

const loops = new Set<RunLoop>()
const executions = new Map<AbortController, Promise<unknown>>()
afterEach(async () => {
  await Promise.all([...loops].map((loop) => loop.stop()))
  loops.clear()
  for (const abort of executions.keys()) abort.abort(new RunInterrupted('released'))
  await Promise.allSettled(executions.values())
  executions.clear()
  await stopDrainers()
})

/** Executes a run as a daemon does; what a failed test leaves is ended behind it. */
function execute(run: Run, context: RunContext, abort = new AbortController()): Promise<RunOutcome> {
  const outcome = executeRun(context, run, abort.signal)
  executions.set(abort, outcome)
  return outcome
}

function contextOf(instance: string, pool: pg.Pool = db.pool): RunContext {
  return { pool, schema: SCHEMA, elasticsearch, plans, instance, log }
}

function startLoop(instance: string, pool?: pg.Pool): RunLoop {
  const loop = new RunLoop(contextOf(instance, pool))
  loops.add(loop)
  loop.start()
  return loop
}

const request = (document: string, options: RunOptions = {}) =>
  requestBackfill(db.pool, SCHEMA, { document, options, requestedBy: 'test' })

/** Eventually: a transaction that is just settling, or dying, holds the row. */
const taken = (instance: string): Promise<Run> =>
  eventually(() => takeRun(db.pool, SCHEMA, instance, [...plans.keys()]), { describe: 'a run to take' })

function planOf(document: string): DocumentPlan {
  const plan = plans.get(document)
  if (plan === undefined) throw new Error(`no plan of ${document}`)
  return plan
}

async function runRow(id: string): Promise<Run> {
  const run = await readRun(db.pool, SCHEMA, id)
  if (run === null) throw new Error(`no run ${id}`)
  return run
}

const silence = () =>
  db.pool.query(`UPDATE "${SCHEMA}".sync_run SET heartbeat_at = clock_timestamp() - interval '1 min'`)

async function keysOf(sql: string): Promise<string[]> {
  const { rows } = await db.pool.query<{ key: string }>(sql)
  return rows.map(({ key }) => key)
}
const cityKeys = (condition = 'active') =>
  keysOf(`SELECT id::text AS key FROM city WHERE ${condition} ORDER BY id`)

/** Executes a requested backfill to its end, with its marks drained beside it; returns run and keys. */
async function complete(document: string, options: RunOptions = {}): Promise<{ run: Run; keys: string[] }> {
  const { id } = await request(document, options)
  const drained = drainer(db.pool)
  await execute(await taken('a'), contextOf('a'))
  const keys = await drained.stop()
  return { run: await runRow(id), keys }
}

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

describe('a worker killed', () => {
  test('at any statement of the walk leaves no key unmarked and none marked twice', async () => {
    const all = await cityKeys()
    for (const moment of ['before', 'after'] as const) {
      let statement = 1
      for (let killed = true; killed; statement++) {
        await emptied()
        const { id } = await request('city')
        const drained = drainer(db.pool)
        const mortal = createPool(db.url, { max: 2, applicationName: 'mortal' })
        const run = await taken('a')
        const outcome = await execute(run, contextOf('a', dyingPool(mortal, statement, moment))).catch(
          (error: unknown) => error,
        )
        killed = outcome !== 'done'
        if (killed) {
          expect(isConnectionError(outcome)).toBe(true)
          // Only the very last statement, whose answer was not seen, may have ended it.
          if ((await runRow(id)).state === 'running') {
            await silence()
            expect(await execute(await taken('b'), contextOf('b'))).toBe('done')
          }
        }
        expect(await drained.stop()).toEqual(all)
        expect(await runRow(id)).toMatchObject({ state: 'done', walked: all.length, processed: all.length })
        await mortal.end()
      }
      // Begin and estimate, then at least three chunks of four statements each.
      expect(statement).toBeGreaterThan(15)
    }
  })

  test('is replaced: another daemon takes the run over and ends it', async () => {
    const { id } = await request('city')
    await taken('dead')
    await silence()
    const drained = drainer(db.pool)
    startLoop('b')
    await eventually(async () => (await runRow(id)).state === 'done')
    expect(await drained.stop()).toEqual(await cityKeys())
    expect((await runRow(id)).worker).toBe('b')
  })

  test('but not dead writes nothing more once it was replaced', async () => {
    const { id } = await request('many')
    const asleep = execute(await taken('a'), contextOf('a'))
    await eventually(async () => (await runRow(id)).walked === MAX_PENDING_KEYS)
    await silence()
    const successor = await taken('b')
    const drained = drainer(db.pool)
    expect(await asleep).toBe('lost')
    expect(await execute(successor, contextOf('b'))).toBe('done')
    expect(await drained.stop()).toHaveLength(60_000)
  })
})

describe('a daemon', () => {
  test('that shuts down leaves its run to another, which goes on at once from the cursor', async () => {
    const { id } = await request('many')
    const first = startLoop('a')
    await eventually(async () => (await runRow(id)).walked === MAX_PENDING_KEYS)
    await first.stop()
    expect(await runRow(id)).toMatchObject({ state: 'running', worker: null, walked: MAX_PENDING_KEYS })
    const drained = drainer(db.pool)
    startLoop('b')
    await eventually(async () => (await runRow(id)).state === 'done')
    expect(await drained.stop()).toHaveLength(60_000)
  })

  test('goes on by itself when its connections were cut', async () => {
    const { id } = await request('many')
    const pool = createPool(db.url, { max: 3, applicationName: 'mortal' })
    startLoop('a', pool)
    await eventually(async () => (await runRow(id)).walked === MAX_PENDING_KEYS)
    await db.pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mortal'",
    )
    const drained = drainer(db.pool)
    await eventually(async () => (await runRow(id)).state === 'done', { timeoutMs: 30_000 })
    expect(await drained.stop()).toHaveLength(60_000)
    for (const loop of loops) await loop.stop()
    await pool.end()
  })

  test('executes runs of several documents at once', async () => {
    const runs = [await request('many'), await request('city')]
    startLoop('a')
    await eventually(async () =>
      (await Promise.all(runs.map(({ id }) => runRow(id)))).every((run) => run.walked > 0),
    )
    const drained = drainer(db.pool)
    await eventually(async () =>
      (await Promise.all(runs.map(({ id }) => runRow(id)))).every(({ state }) => state === 'done'),
    )
    await drained.stop()
  })

  test('executes four runs at once; the others wait for their turn', async () => {
    const documents = ['city', 'street', 'many', 'few', 'single']
    await db.pool.query(
      `INSERT INTO "${SCHEMA}".sync_worker (instance, host, pid, version, state, documents)
       SELECT 'a', 'h', 1, '0', 'running', jsonb_object_agg(name, hash) FROM "${SCHEMA}".sync_document`,
    )
    for (const document of documents) await request(document)
    startLoop('a')
    const states = async () => (await readRuns(db.pool, SCHEMA)).map(({ state }) => state).sort()
    await eventually(async () => (await states()).filter((state) => state === 'running').length === 4)
    const last = (await readRuns(db.pool, SCHEMA)).find(({ state }) => state === 'requested')
    expect(last).toMatchObject({ document: 'single' })
    expect((await readWaits(db.pool, SCHEMA)).get(last?.id ?? '')).toBe('its turn')
    const drained = drainer(db.pool)
    await eventually(async () => (await states()).every((state) => state === 'done'))
    expect((await drained.stop()).length).toBe(12_000 + 9_000 + 60_000 + 2)
  })

  test('leaves a run whose document it may no longer work on', async () => {
    const { id } = await request('many')
    const mine = new Map(plans)
    const loop = new RunLoop({ ...contextOf('a'), plans: mine })
    loops.add(loop)
    loop.start()
    await eventually(async () => (await runRow(id)).walked === MAX_PENDING_KEYS)
    mine.delete('many')
    await eventually(async () => (await runRow(id)).worker === null)
    expect(await runRow(id)).toMatchObject({ state: 'running', walked: MAX_PENDING_KEYS })
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

describe('--where and --since', () => {
  test('choose rows of the table, with a document or without: one that stopped matching loses its document', async () => {
    await db.pool.query('UPDATE city SET active = false WHERE id = 7')
    const { run, keys } = await complete('city', { where: "name IN ('city 7', 'city 8') -- both" })
    expect(keys).toEqual(['7', '8'])
    expect(run.total).toBe(2)
    await db.pool.query('UPDATE city SET active = true')
  })

  test.each(['changed_at', 'local_at'])('an interval counts back from the request (%s)', async (column) => {
    const { keys } = await complete('city', { since: '2 hours 30 seconds', column })
    // One row a minute; a minute may have begun since they were inserted.
    const expected = await cityKeys(`${column} >= localtimestamp - interval '2 hours 30 seconds'`)
    expect(keys.length).toBeGreaterThanOrEqual(expected.length)
    expect(keys.length).toBeLessThanOrEqual(121)
    expect(keys.slice(0, expected.length)).toEqual(expected)
  })

  test('an interval counts back from the request, not from the resumption', async () => {
    const { id } = await request('city', { since: '2 hours 30 seconds', column: 'changed_at' })
    await db.pool.query(`UPDATE "${SCHEMA}".sync_run SET requested_at = requested_at - interval '1 hour'`)
    const drained = drainer(db.pool)
    await execute(await taken('a'), contextOf('a'))
    expect((await drained.stop()).length).toBeGreaterThan(170)
    expect((await runRow(id)).state).toBe('done')
  })

  test('a timestamp is taken as it is, and goes with a date column', async () => {
    const { rows } = await db.pool.query('SELECT (current_date - 1)::text AS day')
    const { keys } = await complete('city', { since: rows[0].day, column: 'day' })
    expect(keys).toEqual(await cityKeys('day >= current_date - 1'))
  })

  test('both together narrow it further, and resume like any walk', async () => {
    const { keys } = await complete('city', { since: '1 day', column: 'changed_at', where: 'id % 2 = 0' })
    expect(keys.length).toBeGreaterThan(700)
    expect(keys.every((key) => Number(key) % 2 === 0)).toBe(true)
  })

  test('a column that leads no index is warned about', async () => {
    expect((await request('city', { since: '1 hour', column: 'changed_at' })).warnings).toEqual([
      'no index begins with city.changed_at: the walk reads the whole table. CREATE INDEX CONCURRENTLY ON public.city (changed_at)',
    ])
    await db.pool.query('CREATE INDEX city_changed ON city (changed_at)')
    await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
    expect((await request('city', { since: '1 hour', column: 'changed_at' })).warnings).toEqual([])
    await db.pool.query('DROP INDEX city_changed')
  })

  test.each<[RunOptions, RegExp]>([
    [{ since: '2 hours' }, /--since: needs --column/],
    [{ column: 'changed_at' }, /--column: needs --since/],
    [{ since: '2 hours', column: 'chagned_at' }, /--column: city has no column "chagned_at".*"changed_at"/],
    [{ since: '2 hours', column: 'name' }, /--column: city\.name is text/],
    [{ since: 'tomorow', column: 'changed_at' }, /--since: "tomorow" is neither an interval/],
    [{ since: 'infinity', column: 'changed_at' }, /--since: "infinity" is neither/],
    [{ where: 'nmae = 1' }, /--where.*nmae/],
    [{ where: 'name' }, /--where: is text; a condition is needed/],
    [{ where: 'true) OR (true' }, /--where/],
    [{ where: 'id IN (SELECT 1)' }, /--where/],
    [{ where: 'random() < 0.5' }, /--where: .*random\(\), which is volatile/],
  ])('%j is refused before anything is written', async (options, message) => {
    await expect(request('city', options)).rejects.toThrow(message)
    expect((await db.pool.query(`SELECT FROM "${SCHEMA}".sync_run`)).rowCount).toBe(0)
  })

  test('a condition that came by SQL is checked again before it is used', async () => {
    await db.pool.query(
      `INSERT INTO "${SCHEMA}".sync_run (kind, document, options) VALUES ('backfill', 'city', $1)`,
      [JSON.stringify({ where: 'true) w; DROP TABLE nothing; --' })],
    )
    const run = await taken('a')
    expect(await execute(run, contextOf('a'))).toBe('failed')
    expect((await runRow(run.id)).error).toMatch(/--where/)
  })
})

describe('--tenant', () => {
  test('takes all rows of one tenant, and goes with the others', async () => {
    await db.pool.query('UPDATE city SET active = false WHERE id = 4')
    const { run, keys } = await complete('city', { tenant: '1' })
    expect(keys).toEqual(await cityKeys('id % 3 = 1'))
    expect(run).toMatchObject({ total: 4000, options: { tenant: '1' } })
    const both = await complete('city', { tenant: '1', where: 'id < 6' })
    expect(both.keys).toEqual(['1', '4'])
    await db.pool.query('UPDATE city SET active = true')
  })

  test('rides an index of the column, and warns where there is none', async () => {
    expect((await request('city', { tenant: '1' })).warnings).toEqual([
      'no index begins with city.tenant: the walk reads the whole table. CREATE INDEX CONCURRENTLY ON public.city (tenant)',
    ])
    const { conditions } = await readFilter(db.pool, planOf('city'), { tenant: '1' }, null)
    await db.pool.query('CREATE INDEX city_tenant ON city (tenant)')
    const explain = async () => {
      const client = await db.pool.connect()
      await client.query('BEGIN; SET LOCAL enable_seqscan = off')
      const { rows } = await client.query(`EXPLAIN SELECT FROM city WHERE ${conditions.join(' AND ')}`)
      await client.query('ROLLBACK')
      client.release()
      return JSON.stringify(rows)
    }
    // Rows were updated: Postgres leaves the new index alone until no transaction is older than it (indcheckxmin).
    await eventually(async () => expect(await explain()).toMatch(/Index Cond: \(tenant = 1\)/))
  })

  test.each(['01', '9', 'one', ''])('%j is no tenant of any row, and is warned about', async (tenant) => {
    expect(await request('city', { tenant })).toMatchObject({
      warnings: expect.arrayContaining([`no row of city is of tenant "${tenant}"`]),
      estimate: { total: 0, counted: 'exact' },
    })
  })

  test('needs a tenant in the definition', async () => {
    await expect(request('many', { tenant: '1' })).rejects.toThrow(
      /--tenant: many has no "tenant" in its definition/,
    )
  })
})

describe('a request by SQL', () => {
  const bySql = async (options: unknown): Promise<Run> => {
    await db.pool.query(
      `INSERT INTO "${SCHEMA}".sync_run (kind, document, options) VALUES ('backfill', 'city', $1)`,
      [JSON.stringify(options)],
    )
    const run = await taken('a')
    const drained = drainer(db.pool)
    await execute(run, contextOf('a'))
    await drained.stop()
    return runRow(run.id)
  }

  test('is as good as one by command, and says who asked', async () => {
    expect(await bySql({ where: 'id <= 3' })).toMatchObject({
      state: 'done',
      processed: 3,
      requestedBy: new URL(db.url).username,
    })
  })

  test.each<[unknown, string]>([
    [{ whre: 'id = 1' }, 'options: backfill has no option "whre" (did you mean "where"?)'],
    [{ deep: true }, 'options: backfill has no option "deep"'],
    [{ where: 5 }, 'options.where: got 5, a text: an SQL condition over one row is needed'],
    [{ tenant: 7 }, 'options.tenant: got 7, a text is needed'],
    [{ since: null }, 'options.since: got null, a text'],
    [['id = 1'], 'options: got ["id = 1"], a JSON object is needed'],
    [{ since: '2 hours' }, '--since: needs --column'],
  ])('with the options %j fails with the reason, and marks nothing', async (options, reason) => {
    const run = await bySql(options)
    expect(run).toMatchObject({ state: 'failed', walked: 0, error: expect.stringContaining(reason) })
  })
})

describe('a request', () => {
  test('says how many rows it comes to, which the run shows before anyone has taken it', async () => {
    expect(await request('city', { where: 'id <= 3' })).toMatchObject({
      estimate: { total: 3, counted: 'exact' },
    })
    expect(await readRuns(db.pool, SCHEMA)).toMatchObject([{ state: 'requested', total: 3 }])
  })

  test('does not wait for a table that someone has locked', async () => {
    const blocker = await db.pool.connect()
    try {
      await blocker.query('BEGIN; LOCK TABLE nothing IN ACCESS EXCLUSIVE MODE')
      expect(await request('nothing')).toMatchObject({ estimate: null, existing: false })
    } finally {
      await blocker.query('ROLLBACK')
      blocker.release()
    }
  })

  test('for a document with a run under way gets the id of that run', async () => {
    const first = await request('city')
    expect(await request('city')).toMatchObject({ id: first.id, existing: true })
  })

  test('for an unknown, paused or detached document is refused with what to do', async () => {
    await expect(request('ctiy')).rejects.toThrow(/no document "ctiy" is installed.*"city"/)
    await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'paused', reason = 'grant missing'`)
    await expect(request('city')).rejects.toMatchObject({
      message: expect.stringContaining('grant missing'),
      remedy: expect.stringContaining('sluice resume city'),
    })
    await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'detached', reason = NULL`)
    await expect(request('city')).rejects.toMatchObject({ remedy: expect.stringContaining('sluice install') })
    expect((await db.pool.query(`SELECT FROM "${SCHEMA}".sync_run`)).rowCount).toBe(0)
  })
})

/** A pool whose connection dies at the nth statement: before it is sent, or before its answer is seen. */
function dyingPool(pool: pg.Pool, nth: number, moment: 'before' | 'after'): pg.Pool {
  let statements = 0
  const mortal = <Queried extends pg.Pool | pg.PoolClient>(queried: Queried, cut: () => void): Queried =>
    new Proxy(queried, {
      get(target, property) {
        if (property === 'query') {
          return async (...args: Parameters<pg.Pool['query']>) => {
            statements++
            if (statements !== nth) return target.query(...args)
            if (moment === 'after') await target.query(...args)
            cut()
            throw new Error('Connection terminated unexpectedly')
          }
        }
        if (property === 'connect') return connect
        const value: unknown = Reflect.get(target, property, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  const connect = async () => {
    const client = await pool.connect()
    // As the server sees it: the socket is closed, and an open transaction is rolled back.
    return mortal(client, () => client.connection.stream.destroy())
  }
  return mortal(pool, () => undefined)
}
