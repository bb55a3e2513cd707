import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { requestRun } from '../../src/queue/request-run.ts'
import { advanceRun, cancelRun, finishRun, heartbeatRuns, releaseRun } from '../../src/runs/lifecycle.ts'
import { readRuns } from '../../src/runs/read-runs.ts'
import { type RunsFixture, SCHEMA } from './runs-fixture.ts'
import { lifecycleDatabase, lifecycles } from './runs-lifecycle-world.ts'

let db: RunsFixture
const { begin, request, take, get, taken, silentFor } = lifecycles(() => db)

beforeAll(async () => {
  db = await lifecycleDatabase()
})
afterAll(() => db.drop())
beforeEach(begin)

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
