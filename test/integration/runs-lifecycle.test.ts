import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { requestRun } from '../../src/queue/request-run.ts'
import {
  advanceRun,
  cancelRun,
  type Ending,
  finishRun,
  heartbeatRuns,
  releaseRun,
  takeRun,
} from '../../src/runs/lifecycle.ts'
import { noneOptimized } from '../../src/runs/optimization.ts'
import { readRun, readRuns, readWaits } from '../../src/runs/read-runs.ts'
import type { Run } from '../../src/runs/types.ts'
import { addDocument, type RunsFixture, runsFixture, SCHEMA } from './runs-fixture.ts'

let db: RunsFixture
const BOTH = ['city', 'line']

beforeAll(async () => {
  db = await runsFixture()
  await db.pool.query('CREATE TABLE city (id bigint PRIMARY KEY); CREATE TABLE line (id bigint PRIMARY KEY)')
  await addDocument(db.pool, { document: 'city', key: [{ name: 'id', type: 'pg_catalog.int8' }] })
  await addDocument(db.pool, { document: 'line', key: [{ name: 'id', type: 'pg_catalog.int8' }] })
})
afterAll(() => db.drop())
beforeEach(async () => {
  await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
  await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'active', alarm = NULL`)
})

async function request(document: string, extra: Record<string, unknown> = {}): Promise<string> {
  const columns = { kind: 'backfill', document, ...extra }
  const names = Object.keys(columns)
  const { rows } = await db.pool.query<{ id: string }>(
    `INSERT INTO "${SCHEMA}".sync_run (${names.join()}) VALUES (${names.map((_, n) => `$${n + 1}`).join()}) RETURNING id`,
    Object.values(columns),
  )
  return String(rows[0]?.id)
}

const take = (instance: string, documents = BOTH) => takeRun(db.pool, SCHEMA, instance, documents)
const get = async (id: string): Promise<Run> => {
  const run = await readRun(db.pool, SCHEMA, id)
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
  db.pool.query(
    `UPDATE "${SCHEMA}".sync_run SET heartbeat_at = clock_timestamp() - $2::interval WHERE id = $1`,
    [id, interval],
  )

describe('taking', () => {
  test('the oldest requested run is taken first, by one worker only', async () => {
    const first = await request('line')
    const second = await request('city')
    expect(await take('a')).toMatchObject({ id: first, state: 'running', worker: 'a', document: 'line' })
    expect(await take('b')).toMatchObject({ id: second, worker: 'b' })
    expect(await take('c')).toBeNull()
  })

  test('workers that look at the same moment never get the same run', async () => {
    for (let round = 0; round < 20; round++) {
      await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
      await request('city')
      await request('line')
      const runs = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((instance) => take(instance)))
      const ids = runs.flatMap((run) => (run === null ? [] : [run.id]))
      expect(new Set(ids).size).toBe(ids.length)
    }
  })

  test('documents that this worker does not work on are left to others', async () => {
    await request('city')
    expect(await take('a', ['line'])).toBeNull()
  })

  test('a run of a paused document waits until it is resumed', async () => {
    const id = await request('city')
    await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'paused' WHERE name = 'city'`)
    expect(await take('a')).toBeNull()
    await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'active' WHERE name = 'city'`)
    expect(await take('a')).toMatchObject({ id })
  })

  test('a kind that this program does not know waits for one that does', async () => {
    await db.pool.query(`ALTER TABLE "${SCHEMA}".sync_run DROP CONSTRAINT sync_run_kind_check`)
    await request('city', { kind: 'of a later version' })
    expect(await take('a')).toBeNull()
  })

  test('a run whose worker is silent for 15 seconds is taken over with its cursor', async () => {
    const id = await request('city')
    const run = await taken('a')
    const to = { step: 'walk', after: ['7'], counted: 'exact', warning: null } as const
    await advanceRun(db.pool, SCHEMA, run, { to, walked: 7 })
    await silentFor(id, '10 s')
    expect(await take('b')).toBeNull()
    await silentFor(id, '16 s')
    expect(await take('b')).toMatchObject({ id, worker: 'b', cursor: to, walked: 7 })
  })

  test('a run whose worker died before the database’s clock was put back is not kept from others until then', async () => {
    const id = await request('city')
    await taken('a')
    await silentFor(id, '-10 s')
    expect(await take('b')).toBeNull()
    await silentFor(id, '-1 hour')
    expect(await take('b')).toMatchObject({ id, worker: 'b' })
  })
})

describe('a worker that was taken for dead', () => {
  test('can no longer move, release or finish the run', async () => {
    const id = await request('city')
    const mine = await taken('a')
    await silentFor(id, '1 min')
    await taken('b')
    const to = { step: 'drain', after: null, counted: 'exact', warning: null } as const
    expect(await advanceRun(db.pool, SCHEMA, mine, { to })).toBe(false)
    expect(await releaseRun(db.pool, SCHEMA, mine)).toBe(false)
    expect(await finishRun(db.pool, SCHEMA, mine, { state: 'done', error: null })).toBeNull()
    expect(await heartbeatRuns(db.pool, SCHEMA, 'a', [id])).toEqual(new Map())
    expect(await get(id)).toMatchObject({ state: 'running', worker: 'b', cursor: null })
  })

  test('cannot move a cursor that another process of the same name has moved', async () => {
    await request('city')
    const mine = await taken('a')
    const at = (key: string) => ({ step: 'walk', after: [key], counted: 'exact', warning: null }) as const
    expect(await advanceRun(db.pool, SCHEMA, mine, { to: at('5') })).toBe(true)
    expect(await advanceRun(db.pool, SCHEMA, mine, { to: at('9') })).toBe(false)
    expect(await advanceRun(db.pool, SCHEMA, { ...mine, cursor: at('5') }, { to: at('9') })).toBe(true)
  })
})

test('a heartbeat keeps the run, and brings the news that it is to be cancelled', async () => {
  const id = await request('city')
  await taken('a')
  await silentFor(id, '1 min')
  expect(await heartbeatRuns(db.pool, SCHEMA, 'a', [id])).toEqual(new Map([[id, 'running']]))
  expect(await take('b')).toBeNull()
  await cancelRun(db.pool, SCHEMA, id)
  expect(await heartbeatRuns(db.pool, SCHEMA, 'a', [id])).toEqual(new Map([[id, 'cancelling']]))
})

test('a released run is taken by another worker at once, with its cursor and its first start', async () => {
  const id = await request('city')
  const run = await taken('a')
  const to = { step: 'walk', after: ['5'], counted: 'estimate', warning: null } as const
  await advanceRun(db.pool, SCHEMA, run, { to, walked: 5, total: 9 })
  expect(await releaseRun(db.pool, SCHEMA, run)).toBe(true)
  expect(await get(id)).toMatchObject({ state: 'running', worker: null })
  const again = await taken('b')
  expect(again).toMatchObject({ id, cursor: to, walked: 5, total: 9, startedAt: run.startedAt })
})

test('a verify asked for while a released verify waits for a worker follows it: its listing may be over', async () => {
  const id = await request('city', { kind: 'verify' })
  await releaseRun(db.pool, SCHEMA, await taken('a'))
  const truncated = {
    kind: 'verify',
    document: 'city',
    reason: 'truncated',
    onActive: 'verify-after',
  } as const
  expect(await requestRun(db.pool, SCHEMA, { ...truncated, origin: '99' })).toEqual({ id, existing: true })
  await finishRun(db.pool, SCHEMA, await taken('b'), { state: 'done', error: null })
  expect(await readRuns(db.pool, SCHEMA, { active: true })).toMatchObject([{ kind: 'verify', origin: '99' }])
})

describe('cancelling', () => {
  test('ends a requested run at once', async () => {
    const id = await request('city')
    expect(await cancelRun(db.pool, SCHEMA, id)).toMatchObject({ state: 'cancelled' })
    expect((await get(id)).finishedAt).not.toBeNull()
    expect(await take('a')).toBeNull()
  })

  test('asks the worker of a running one, which finishes it', async () => {
    const id = await request('city')
    const run = await taken('a')
    expect(await cancelRun(db.pool, SCHEMA, id)).toMatchObject({ state: 'cancelling', finishedAt: null })
    expect(
      await advanceRun(db.pool, SCHEMA, run, {
        to: { step: 'walk', after: null, counted: 'exact', warning: null },
      }),
    ).toBe(false)
    expect(await finishRun(db.pool, SCHEMA, run, { state: 'cancelled', error: null })).toMatchObject({
      state: 'cancelled',
    })
  })

  test('ends a run whose worker is dead at once', async () => {
    const id = await request('city')
    await taken('a')
    await silentFor(id, '1 min')
    expect(await cancelRun(db.pool, SCHEMA, id)).toMatchObject({ state: 'cancelled' })
  })

  test('ends a released run at once, for nobody has it', async () => {
    const id = await request('city')
    await releaseRun(db.pool, SCHEMA, await taken('a'))
    expect(await cancelRun(db.pool, SCHEMA, id)).toMatchObject({ state: 'cancelled' })
  })

  test('whose worker died meanwhile is finished by whoever takes it', async () => {
    const id = await request('city')
    await taken('a')
    await cancelRun(db.pool, SCHEMA, id)
    await silentFor(id, '1 min')
    expect(await take('b')).toMatchObject({ id, state: 'cancelling', worker: 'b' })
  })

  test('changes nothing about a run that has ended, and finds none that is not there', async () => {
    const id = await request('city')
    await finishRun(db.pool, SCHEMA, await taken('a'), { state: 'done', error: null })
    expect(await cancelRun(db.pool, SCHEMA, id)).toMatchObject({ state: 'done' })
    expect(await cancelRun(db.pool, SCHEMA, '999999')).toBeNull()
  })
})

describe('a verify asked for while a run is under way', () => {
  test.each(['done', 'failed', 'cancelled'] as const)(
    'is requested when the run is %s, in the same statement',
    async (state) => {
      const id = await request('city', { verify_after: '77' })
      await finishRun(db.pool, SCHEMA, await taken('a'), { state, error: null })
      expect(await readRuns(db.pool, SCHEMA, { active: true })).toMatchObject([
        {
          kind: 'verify',
          document: 'city',
          state: 'requested',
          origin: '77',
          reason: `asked for while run ${id} was under way`,
        },
      ])
    },
  )

  test('is requested when the run is cancelled before anyone took it', async () => {
    const id = await request('city', { verify_after: '77' })
    await cancelRun(db.pool, SCHEMA, id)
    expect(await readRuns(db.pool, SCHEMA, { active: true })).toMatchObject([
      { kind: 'verify', origin: '77' },
    ])
  })

  test('waits for the end of a run that is being cancelled', async () => {
    const id = await request('city', { verify_after: '77' })
    await taken('a')
    await cancelRun(db.pool, SCHEMA, id)
    expect(await readRuns(db.pool, SCHEMA)).toHaveLength(1)
  })
})

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
    `INSERT INTO "${SCHEMA}".sync_queue (document, lane, op, keys, run_id, target)
     VALUES ('city', 2, 'backfill', '{1,2,3}', $1, 'i'), ('city', 1, 'backfill', '{4}', $1, NULL)`,
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
