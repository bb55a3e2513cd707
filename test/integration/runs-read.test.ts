import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { advanceRun, cancelRun, type Ending, finishRun } from '../../src/runs/lifecycle.ts'
import { noneOptimized } from '../../src/runs/optimization.ts'
import { readRuns, readWaits } from '../../src/runs/read-runs.ts'
import { type RunsFixture, SCHEMA } from './runs-fixture.ts'
import { lifecycleDatabase, lifecycles } from './runs-lifecycle-world.ts'

/** What is told of runs: the alarm of one that failed, what one waits for, what its steps found, the list. */

let db: RunsFixture
const { begin, request, get, taken, silentFor } = lifecycles(() => db)

beforeAll(async () => {
  db = await lifecycleDatabase()
})
afterAll(() => db.drop())
beforeEach(begin)

test('a run that sluice asked for leaves an alarm when it fails, until one is done; one that a user watches does not', async () => {
  const alarm = async () =>
    (await db.pool.query(`SELECT alarm FROM "${SCHEMA}".sync_document WHERE name = 'city'`)).rows[0].alarm
  const end = async (ending: Ending) => finishRun(db.pool, SCHEMA, await taken('a'), ending)
  await request('city')
  await end({ state: 'failed', error: 'no such column' })
  expect(await alarm()).toBeNull()
  const id = await request('city', { kind: 'verify', reason: 'truncated' })
  await end({ state: 'failed', error: 'no such column' })
  expect(await alarm()).toBe(
    `verify run ${id} (truncated) failed: no such column\n  → When the cause is gone: ` +
      `INSERT INTO "${SCHEMA}".sync_run (kind, document, options) VALUES ('verify', 'city', '{}')`,
  )
  await request('city')
  await end({ state: 'done', error: null })
  expect(await alarm()).not.toBeNull()
  await request('city', { kind: 'verify' })
  await end({ state: 'done', error: null })
  expect(await alarm()).toBeNull()
})

test('a run that does not go on says what it waits for', async () => {
  const id = await request('city')
  const waitsFor = async () => (await readWaits(db.pool, SCHEMA)).get(id) ?? null
  const state = (name: string) =>
    db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = $1 WHERE name = 'city'`, [name])
  expect(await waitsFor()).toBe('a daemon that works on city: sluice run')
  await db.pool.query(
    `INSERT INTO "${SCHEMA}".sync_worker (instance, host, pid, version, state, documents)
     VALUES ('a', 'h', 1, '0', 'running', '{"city": "h", "line": "of another configuration"}')`,
  )
  expect(await waitsFor()).toBe('its turn')
  await request('line')
  expect([...(await readWaits(db.pool, SCHEMA)).values()]).toContain(
    'a daemon that works on line: sluice run',
  )
  await taken('a')
  expect(await waitsFor()).toBeNull()
  await db.pool.query(
    `INSERT INTO "${SCHEMA}".sync_index (name, document, alias, uuid, role, hash) VALUES ('i', 'city', 'city', 'u', 'live', 'h')`,
  )
  await db.pool.query(
    `INSERT INTO "${SCHEMA}".sync_queue (document, lane, op, keys, run_id, target)
     VALUES ('city', 2, 'backfill', '{1,2,3}', $1, 'i'), ('city', 1, 'backfill', '{4}', $1, NULL), ('city', 2, 'update', '{5}', NULL, 'i')`,
    [id],
  )
  expect(await waitsFor()).toBe('an index that is blocked: 3 keys are parked for it')
  await silentFor(id, '16 s')
  expect(await waitsFor()).toBe('a daemon to take it over')
  await state('paused')
  expect(await waitsFor()).toBe('its document to be resumed: sluice resume city')
  await state('active')
  await cancelRun(db.pool, SCHEMA, id)
  expect(await waitsFor()).toBeNull()
})

interface PlanNode {
  readonly 'Relation Name'?: string
  readonly 'Actual Rows'?: number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly PlanNode[]
}

/** Marks that a plan has looked at. */
function marksRead(node: PlanNode): number {
  const own = (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)
  const below = (node.Plans ?? []).reduce((sum, plan) => sum + marksRead(plan), 0)
  return (node['Relation Name'] === 'sync_queue' ? own : 0) + below
}

test('what a run waits for is found without reading the marks of changes that are parked beside its own', async () => {
  const id = await request('city')
  await taken('a')
  await db.pool.query(
    `INSERT INTO "${SCHEMA}".sync_index (name, document, alias, uuid, role, hash) VALUES ('i', 'city', 'city', 'u', 'live', 'h')
       ON CONFLICT DO NOTHING;
     TRUNCATE "${SCHEMA}".sync_queue;
     INSERT INTO "${SCHEMA}".sync_queue (document, lane, op, keys, run_id, target)
     SELECT 'city', 2, 'update', ARRAY[n::text], CASE WHEN n % 10000 = 0 THEN ${id} END, 'i' FROM generate_series(1, 20000) AS n;
     ANALYZE "${SCHEMA}".sync_queue`,
  )
  const { rows } = await db.pool.query<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }>(
    `EXPLAIN (ANALYZE, FORMAT JSON) SELECT waits_for FROM "${SCHEMA}".sync_runs WHERE id = ${id}`,
  )
  const [plan] = rows[0]?.['QUERY PLAN'] ?? []
  expect(plan && marksRead(plan.Plan)).toBe(2)
  expect((await readWaits(db.pool, SCHEMA)).get(id)).toBe(
    'an index that is blocked: 2 keys are parked for it',
  )
})

test('what a step has found is kept, each kind under its own name', async () => {
  await request('city')
  const run = await taken('a')
  const to = { step: 'merge', after: null, counted: 'exact', warning: null } as const
  const optimize = noneOptimized(0.2)
  await advanceRun(db.pool, SCHEMA, run, { to, processed: 1, result: { optimize } })
  await advanceRun(db.pool, SCHEMA, { ...run, cursor: to }, { to, processed: 1 })
  const more = { ...optimize, indices: 1 }
  await advanceRun(db.pool, SCHEMA, { ...run, cursor: to }, { to, result: { optimize: more } })
  expect(await get(run.id)).toMatchObject({ processed: 2, result: { optimize: more } })
})

test('runs are listed newest first, by document and by activity', async () => {
  const old = await request('city')
  await cancelRun(db.pool, SCHEMA, old)
  const line = await request('line')
  const city = await request('city')
  const ids = async (filter: object) => (await readRuns(db.pool, SCHEMA, filter)).map(({ id }) => id)
  expect(await ids({})).toEqual([city, line, old])
  expect(await ids({ document: 'city' })).toEqual([city, old])
  expect(await ids({ active: true })).toEqual([city, line])
  expect(await ids({ limit: 1 })).toEqual([city])
})
