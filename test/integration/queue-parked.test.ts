import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { enqueueKeys, type KeysToMark } from '../../src/queue/enqueue-keys.ts'
import { forgetTarget } from '../../src/queue/forget-target.ts'
import { parkedTargets } from '../../src/queue/parked-targets.ts'
import { releaseTarget } from '../../src/queue/release-target.ts'
import { type QueueDatabase, queueDatabase } from './queue-fixture.ts'

/** The parked lane: keys that wait for an index, beside those that the mass-delete brake holds back. */

let db: QueueDatabase
beforeAll(async () => {
  db = await queueDatabase()
  await db.addDocument('city')
  await db.addDocument('country')
})
afterAll(() => db.drop())
beforeEach(async () => {
  await db.pool.query(`TRUNCATE ${db.s}.sync_queue, ${db.s}.sync_brake, ${db.s}.sync_index`)
  await db.pool.query(`INSERT INTO ${db.s}.sync_index (name, document, alias, uuid, role, hash)
    VALUES ('c-1', 'city', 'c', 'u1', 'live', 'h'), ('c-2', 'city', 'c', 'u2', 'building', 'h'),
           ('c-0', 'city', 'c', 'u0', 'retired', 'h'), ('k-1', 'country', 'k', 'u3', 'live', 'h')`)
})

const park = (mark: Partial<KeysToMark>) =>
  enqueueKeys(db.pool, db.schema, { document: 'city', lane: 2, op: 'update', keys: ['1'], ...mark })
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => `${from + n}`)
const lanes = () =>
  db.rows(
    `SELECT lane, coalesce(target, 'none') AS target, sum(cardinality(keys))::int AS keys
       FROM ${db.s}.sync_queue GROUP BY 1, 2 ORDER BY 1, 2`,
  )

test('parked_targets lists what is waited for, and whether it is still written to', async () => {
  await park({ target: 'c-2', keys: ['1'] })
  await park({ target: 'c-2', keys: ['2'] })
  await park({ target: 'c-0' })
  await park({ target: 'gone' })
  await park({})
  await park({ document: 'country', target: 'k-1' })
  await park({ lane: 1, target: 'c-1' })
  const index = (name: string, registered: boolean) => ({
    document: 'city',
    index: name,
    registered,
    releasedAt: null,
  })
  expect(await parkedTargets(db.pool, db.schema, ['city'])).toEqual([
    index('c-0', false),
    index('c-2', true),
    index('gone', false),
  ])
})

describe('released keys', () => {
  test('go to the interactive lane when they are few, and keep what their marks said', async () => {
    await park({ target: 'c-2', keys: ['1', '2'], op: 'delete', origin: '77' })
    const [before] = await db.rows(`SELECT id, op, origin, target, created_at FROM ${db.s}.sync_queue`)
    expect(await releaseTarget(db.pool, db.schema, 'c-2', 10_000)).toBe(2)
    expect(await db.rows(`SELECT id, op, origin, target, created_at, lane FROM ${db.s}.sync_queue`)).toEqual([
      { ...before, lane: 0 },
    ])
  })

  test('go to the bulk lane when they are many', async () => {
    await park({ target: 'c-2', keys: numbers(1, 101) })
    await releaseTarget(db.pool, db.schema, 'c-2', 10_000)
    expect(await lanes()).toEqual([{ lane: 1, target: 'c-2', keys: 101 }])
  })

  test('of a run stay in the lane in which it counts them', async () => {
    await park({ target: 'c-2', runId: '3' })
    await releaseTarget(db.pool, db.schema, 'c-2', 10_000)
    expect(await lanes()).toEqual([{ lane: 1, target: 'c-2', keys: 1 }])
  })

  test('of changes come before those of runs, whichever were parked first', async () => {
    await park({ target: 'c-2', runId: '3', keys: ['1', '2'] })
    await park({ target: 'c-2', keys: ['3'] })
    expect(await releaseTarget(db.pool, db.schema, 'c-2', 1)).toBe(1)
    expect(await db.rows(`SELECT lane, keys FROM ${db.s}.sync_queue ORDER BY lane`)).toEqual([
      { lane: 0, keys: ['3'] },
      { lane: 2, keys: ['1', '2'] },
    ])
  })

  test('come in bounded chunks', async () => {
    await park({ target: 'c-2', keys: numbers(1, 3_000) })
    expect(await releaseTarget(db.pool, db.schema, 'c-2', 1_000)).toBe(1_000)
    expect(await lanes()).toEqual([
      { lane: 1, target: 'c-2', keys: 1_000 },
      { lane: 2, target: 'c-2', keys: 2_000 },
    ])
  })

  test('tell every daemon that their index is to be tried again', async () => {
    await park({ target: 'c-2', keys: numbers(1, 600) })
    await releaseTarget(db.pool, db.schema, 'c-2', 500)
    const [target] = await parkedTargets(db.pool, db.schema, ['city'])
    expect(target?.releasedAt).toEqual(expect.any(String))
  })
})

test('keys that many daemons release at once are neither lost nor doubled', async () => {
  for (let n = 0; n < 200; n++) await park({ target: 'c-2', keys: numbers(n * 20 + 1, n * 20 + 20) })
  const released = await Promise.all(
    Array.from({ length: 8 }, async () => {
      let keys = 0
      for (let chunk = -1; chunk !== 0; keys += chunk)
        chunk = await releaseTarget(db.pool, db.schema, 'c-2', 100)
      return keys
    }),
  )
  // One that finds the last ones locked by another stops early; together they have moved each exactly once.
  expect(released.reduce((sum, keys) => sum + keys, 0)).toBe(4_000)
  const [all] = await db.rows(
    `SELECT count(*)::int AS keys, count(DISTINCT key)::int AS distinct, bool_and(lane < 2) AS released
       FROM ${db.s}.sync_queue, unnest(keys) AS key`,
  )
  expect(all).toEqual({ keys: 4_000, distinct: 4_000, released: true })
})

describe('parked keys of an index that is not written to any more', () => {
  test.each(['c-0', 'gone'])('are dropped: %s', async (target) => {
    await park({ target, keys: ['1', '2'] })
    await park({ target: 'c-2' })
    expect(await forgetTarget(db.pool, db.schema, target)).toBe(2)
    expect(await lanes()).toEqual([{ lane: 2, target: 'c-2', keys: 1 }])
  })

  test('and no others', async () => {
    await park({ target: 'c-2' })
    expect(await forgetTarget(db.pool, db.schema, 'c-2')).toBe(0)
    expect(await lanes()).toHaveLength(1)
  })
})

test('what waits for a decision and what waits for an index do not touch each other', async () => {
  await park({ keys: ['1', '2', '3'] })
  await park({ target: 'c-2', keys: ['4'] })
  await db.pool.query(
    `INSERT INTO ${db.s}.sync_brake (document, window_started_at, deletes, tripped_at, parked) VALUES ('city', now(), 0, now(), 3)`,
  )
  await db.pool.query(`SELECT ${db.s}.resume('city', true)`)
  expect(await lanes()).toEqual([
    { lane: 1, target: 'none', keys: 3 },
    { lane: 2, target: 'c-2', keys: 1 },
  ])
  await park({ keys: ['5'] })
  await releaseTarget(db.pool, db.schema, 'c-2', 10_000)
  expect(await lanes()).toEqual([
    { lane: 0, target: 'c-2', keys: 1 },
    { lane: 1, target: 'none', keys: 3 },
    { lane: 2, target: 'none', keys: 1 },
  ])
})
