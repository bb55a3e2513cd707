import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPool, isConnectionError } from '../../src/postgres/connect.ts'
import { MAX_PENDING_KEYS } from '../../src/runs/pacing.ts'
import { readRuns, readWaits } from '../../src/runs/read-runs.ts'
import { RunLoop } from '../../src/runs/run-loop.ts'
import { eventually } from '../support/context.ts'
import { backfills } from './backfill-world.ts'
import { drainer, type RunsFixture, runsFixture, SCHEMA } from './runs-fixture.ts'

/** Daemons that execute backfills: they are killed, take over from each other, shut down, have several at once. */

let db: RunsFixture
const {
  plans,
  loops,
  prepare,
  emptied,
  begin,
  end,
  execute,
  contextOf,
  startLoop,
  request,
  taken,
  runRow,
  silence,
  cityKeys,
} = backfills(() => db)

beforeAll(async () => {
  db = await runsFixture()
  await prepare()
})
afterAll(() => db.drop())
beforeEach(begin)
afterEach(end)

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
