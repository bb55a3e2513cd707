import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { retryFailed } from '../../src/queue/change-failures.ts'
import { enqueueKeys } from '../../src/queue/enqueue-keys.ts'
import { markRoots } from '../../src/queue/mark-roots.ts'
import { releaseTarget } from '../../src/queue/release-target.ts'
import { REWRITE, requestRun } from '../../src/queue/request-run.ts'
import { requeueDueFailures } from '../../src/queue/requeue-due-failures.ts'
import { readDeadOf } from '../../src/queue/sync-token.ts'
import type { BatchKey } from '../../src/queue/types.ts'
import { waitUntilSynced } from '../../src/queue/wait-until-synced.ts'
import { finishRun, takeRun } from '../../src/runs/lifecycle.ts'
import { failure, type QueueDatabase } from './queue-fixture.ts'
import { tokens, tokensDatabase } from './tokens-world.ts'

/** A token waits for its change, whatever becomes of the mark on the way: marked again, parked, a run, a dead letter. */

let db: QueueDatabase
let worker: pg.PoolClient
const { begin, end, token, synced, change, later, claim, keysOf, settle, answer } = tokens(
  () => db,
  () => worker,
)

beforeAll(async () => {
  db = await tokensDatabase()
})
afterAll(() => db.drop())
beforeEach(async () => {
  worker = await begin()
})
afterEach(end)

describe('the origin of a change outlives', () => {
  test('a batch that is halved, runs out of time or fails over: its keys are marked again', async () => {
    const of = await change(['1', '2'])
    const keys = keysOf(await claim())
    await settle({ succeeded: new Map([['cities-1', ['1']]]), givenBack: keys.slice(1) })
    expect(await synced(of)).toBe(false)
    await answer()
    expect(await synced(of)).toBe(true)
  })

  test('a batch that folds it with younger marks of the same key', async () => {
    const of = await change(['1'])
    await later(['1'])
    const keys = keysOf(await claim())
    const oldest = keys.map(({ origin }) => origin).toSorted((a, b) => Number(a) - Number(b))[0] ?? ''
    await settle({ givenBack: [{ ...(keys[0] as BatchKey), origin: oldest }] })
    expect(await synced(of)).toBe(false)
  })

  test('a fan-out: one mark becomes 700 keys in the bulk lane', async () => {
    const of = await change(['ch'])
    const { marks } = await claim()
    const roots = `SELECT n::text AS key FROM generate_series(1, 700) n`
    const large = [{ marks: marks.map(({ id }) => ({ id, target: null, runId: null })), roots }]
    expect(await markRoots(worker, db.schema, { document: 'city', lane: 0, large, timeoutMs: 10_000 })).toBe(
      1,
    )
    expect(await synced(of)).toBe(false)
    await claim(1, 500)
    await settle({ lane: 1 })
    expect(await synced(of)).toBe(false)
    await answer(1)
    expect(await synced(of)).toBe(true)
  })

  test('parking for a blocked index, its release, and the brake', async () => {
    const of = await change(['1', '2'])
    const [one, two] = keysOf(await claim()) as [BatchKey, BatchKey]
    await db.pool.query(
      `INSERT INTO ${db.s}.sync_brake (document, window_started_at, deletes, tripped_at) VALUES ('city', now(), 1, now())`,
    )
    await settle({
      parked: [
        { ...one, target: 'cities-1' },
        { ...two, runId: null },
      ],
    })
    expect(await synced(of)).toBe(false)
    expect(await releaseTarget(db.pool, db.schema, 'cities-1', 100)).toBe(1)
    await answer()
    expect(await synced(of)).toBe(false)
    await db.pool.query(`SELECT ${db.s}.resume('city', true)`)
    expect(await synced(of)).toBe(false)
    await answer(1)
    expect(await synced(of)).toBe(true)
  })

  test('shedding of the backlog', async () => {
    const of = await change(['1'])
    await later(['2'])
    await db.pool.query(`SELECT ${db.s}.shed('city')`)
    expect(await synced(of)).toBe(false)
  })

  test('failures and their retries, by time and by hand', async () => {
    const of = await change(['1'])
    const [key] = keysOf(await claim()) as [BatchKey]
    const failed = (origin: string) => ({ failures: [failure('1', { origin })] })
    await settle(failed(key.origin))
    expect(await synced(of)).toBe(false)
    await db.pool.query(`UPDATE ${db.s}.sync_failed SET due_at = now()`)
    expect(await requeueDueFailures(db.pool, db.schema, ['city'])).toBe(1)
    await claim()
    expect(await synced(of)).toBe(false)
    await settle(failed(key.origin), 101n)
    expect(await retryFailed(db.pool, db.schema, { document: 'city', keys: null, type: null })).toBe(1)
    expect(await synced(of)).toBe(false)
    await claim()
    await settle({ succeeded: new Map([['cities-1', ['1']]]) }, 102n)
    expect(await synced(of)).toBe(true)
  })

  test('a younger change that fails in another way', async () => {
    const of = await change(['1'])
    const [old] = keysOf(await claim()) as [BatchKey]
    await settle({ failures: [failure('1', { origin: old.origin })] })
    await later(['1'])
    const [young] = keysOf(await claim()) as [BatchKey]
    await settle({ failures: [failure('1', { origin: young.origin, target: '' })] }, 101n)
    expect(await synced(of)).toBe(false)
  })

  test('a younger change that failed first, in a faster batch', async () => {
    const of = await change(['1'])
    const [old] = keysOf(await claim()) as [BatchKey]
    const { rows } = await db.pool.query<{ id: string }>('SELECT pg_current_xact_id()::text AS id')
    await db.pool.query(
      `INSERT INTO ${db.s}.sync_failed (document, key, target, id, version, state, attempts, due_at, type, reason, origin)
       VALUES ('city', '1', 'cities-1', '1', 200, 'retrying', 1, now(), 't', 'r', $1)`,
      [rows[0]?.id],
    )
    await settle({ failures: [failure('1', { origin: old.origin })] })
    expect(await synced(of)).toBe(false)
  })
})

describe('an "everything" mark', () => {
  /** Claims the mark and settles it with what it asks for. */
  async function becomesVerify(): Promise<void> {
    const { marks } = await claim()
    await requestRun(worker, db.schema, {
      kind: 'verify',
      document: 'city',
      options: REWRITE,
      origin: marks[0]?.origin ?? '',
      onActive: 'verify-after',
    })
    await settle({})
  }
  const truncate = async () => {
    await db.pool.query(`INSERT INTO ${db.s}.sync_queue (document, lane, op) VALUES ('city', 0, 'truncate')`)
    return token()
  }
  const end = async (state: 'done' | 'failed' = 'done') => {
    const run = await takeRun(db.pool, db.schema, 'w', ['city'])
    if (run === null) throw new Error('no run')
    await finishRun(db.pool, db.schema, run, { state, error: state === 'failed' ? 'why' : null })
  }

  test('is answered when its verify is done', async () => {
    const of = await truncate()
    await becomesVerify()
    expect(await synced(of)).toBe(false)
    expect(await synced(of, 'country')).toBe(true)
    await end()
    expect(await synced(of)).toBe(true)
  })

  test('that comes during another run is answered by the verify after it', async () => {
    await requestRun(db.pool, db.schema, { kind: 'backfill', document: 'city' })
    const of = await truncate()
    await becomesVerify()
    expect(await synced(of)).toBe(false)
    await end()
    expect(await synced(of)).toBe(false)
    await end()
    expect(await synced(of)).toBe(true)
  })

  test('older than the verify that it meets waits for that verify', async () => {
    const of = await truncate()
    await requestRun(db.pool, db.schema, { kind: 'verify', document: 'city', options: REWRITE })
    await becomesVerify()
    expect(await synced(of)).toBe(false)
    await end()
    expect(await synced(of)).toBe(true)
  })

  test('whose verify failed is given up, and told so', async () => {
    const of = await truncate()
    await becomesVerify()
    await end('failed')
    expect(await synced(of)).toBe(true)
    expect(await readDeadOf(db.pool, db.schema, { token: of, document: 'city' })).toEqual([
      { document: 'city', id: null, index: null, type: 'verify_failed', reason: 'why' },
    ])
  })
})

describe('dead letters', () => {
  const wait = (of: string) =>
    waitUntilSynced(db.pool, db.schema, { token: of, document: null, timeoutMs: 5_000 })
  const dies = async (key: string) => {
    const claimed = keysOf(await claim())
    const failures = claimed.map(({ origin }) => failure(key, { origin, dead: true }))
    await settle({ failures: failures.slice(0, 1) })
  }
  const dead = { document: 'city', id: '1', index: 'cities-1', type: 'some_error', reason: 'why' }

  test('are answers, and are told, also where they died before the token was made', async () => {
    await enqueueKeys(db.pool, db.schema, { document: 'city', lane: 0, op: 'update', keys: ['1'] })
    await dies('1')
    expect(await wait(await token())).toEqual([dead])
  })

  test('of later changes, and those of long ago, are not told', async () => {
    await change(['2'])
    await dies('2')
    await db.pool.query(`UPDATE ${db.s}.sync_failed SET last_failed_at = now() - interval '2 minutes'`)
    const of = await change(['1'])
    await dies('1')
    await later(['3'])
    await dies('3')
    expect(await wait(of)).toEqual([dead])
  })

  test('are told though a later change has died as well', async () => {
    const of = await change(['1'])
    await dies('1')
    await later(['1'])
    await dies('1')
    expect(await wait(of)).toEqual([dead])
  })
})
