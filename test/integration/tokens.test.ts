import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { TimeoutError } from '../../src/errors.ts'
import { retryFailed } from '../../src/queue/change-failures.ts'
import { claimMarks } from '../../src/queue/claim-marks.ts'
import { enqueueKeys, type KeysToMark } from '../../src/queue/enqueue-keys.ts'
import { giveBack } from '../../src/queue/give-back.ts'
import { markRoots } from '../../src/queue/mark-roots.ts'
import { releaseTarget } from '../../src/queue/release-target.ts'
import { REWRITE, requestRun } from '../../src/queue/request-run.ts'
import { requeueDueFailures } from '../../src/queue/requeue-due-failures.ts'
import { settleBatch } from '../../src/queue/settle-batch.ts'
import { isSynced, makeSyncToken, readDeadOf } from '../../src/queue/sync-token.ts'
import type { BatchKey, Claim, Lane, Settlement } from '../../src/queue/types.ts'
import { waitUntilSynced } from '../../src/queue/wait-until-synced.ts'
import { finishRun, takeRun } from '../../src/runs/lifecycle.ts'
import { failure, type QueueDatabase, queueDatabase, settlement } from './queue-fixture.ts'

/** sync_token() and is_synced(): no yes before the change is answered, whatever becomes of its mark on the way. */

let db: QueueDatabase
let worker: pg.PoolClient
beforeAll(async () => {
  db = await queueDatabase()
  await db.addDocument('city')
  await db.addDocument('country')
})
afterAll(() => db.drop())
beforeEach(async () => {
  await db.pool.query(
    `TRUNCATE ${db.s}.sync_queue, ${db.s}.sync_failed, ${db.s}.sync_run, ${db.s}.sync_brake`,
  )
  worker = await db.pool.connect()
})
afterEach(async () => {
  await giveBack(worker)
  worker.release()
})

const token = () => makeSyncToken(db.pool, db.schema)
const synced = (of: string, document: string | null = null) =>
  isSynced(db.pool, db.schema, { token: of, document })

/** A change of the application: its mark, as a trigger writes it, and the token made after the commit. */
async function change(keys: readonly string[], mark: Partial<KeysToMark> = {}): Promise<string> {
  await enqueueKeys(db.pool, db.schema, { document: 'city', lane: 0, op: 'update', keys, ...mark })
  return token()
}

/** A change that came later. */
const later = (keys: readonly string[], mark: Partial<KeysToMark> = {}) => change(keys, mark)

async function claim(lane: Lane = 0, maxKeys = 1000): Promise<Claim> {
  const taken = await claimMarks(worker, db.schema, {
    document: 'city',
    lane,
    maxKeys,
    idleTimeoutMs: 60_000,
  })
  if (taken === null) throw new Error(`nothing to claim in lane ${lane}`)
  return taken
}

const keysOf = (claimed: Claim): BatchKey[] =>
  claimed.marks.flatMap(({ keys, ...mark }) => (keys ?? []).map((key) => ({ key, ...mark })))

const settle = (change: Partial<Settlement>, version = 100n) =>
  settleBatch(worker, db.schema, settlement({ version, ...change }), { worker: 'w', maxRetries: 3 })

/** A lane's next marks are answered well. */
async function answer(lane: Lane = 0, version = 1_000n): Promise<void> {
  const claimed = await claim(lane)
  await settle({ lane, succeeded: new Map([['cities-1', keysOf(claimed).map(({ key }) => key)]]) }, version)
}

/** Marks of another, younger change are there all the while, and do not matter. */
async function noise(): Promise<void> {
  await later(['noise'], { document: 'country' })
}

describe('a token', () => {
  test('is of what is committed: without marks it is synced at once', async () => {
    const of = await token()
    await noise()
    expect(await synced(of)).toBe(true)
  })

  test('of a change is synced when its batch is settled, and not while it is only claimed', async () => {
    const of = await change(['1'])
    await noise()
    expect(await synced(of)).toBe(false)
    await claim()
    expect(await synced(of)).toBe(false)
    await giveBack(worker)
    expect(await synced(of)).toBe(false)
    await answer()
    expect(await synced(of)).toBe(true)
  })

  test('may ask for one document', async () => {
    const of = await change(['1'])
    expect(await synced(of, 'country')).toBe(true)
    expect(await synced(of, 'city')).toBe(false)
  })

  test('made in the writing transaction waits for its commit, savepoints and all', async () => {
    const app = await db.pool.connect()
    try {
      await app.query('BEGIN')
      await app.query('SAVEPOINT one')
      const { rows } = await app.query<{ token: string }>(
        `INSERT INTO ${db.s}.sync_queue (document, lane, keys, op) VALUES ('city', 0, '{1}', 'update')
         RETURNING ${db.s}.sync_token() AS token`,
      )
      await app.query('RELEASE one')
      const of = rows[0]?.token ?? ''
      // Others begin and end meanwhile, and transaction ids go on.
      await noise()
      expect(await synced(of)).toBe(false)
      expect(await isSynced(app, db.schema, { token: of, document: null })).toBe(false)
      await app.query('COMMIT')
      expect(await synced(of)).toBe(false)
      await answer()
      expect(await synced(of)).toBe(true)
    } finally {
      app.release()
    }
  })

  test('of a transaction that was rolled back waits for nothing', async () => {
    const app = await db.pool.connect()
    try {
      await app.query('BEGIN')
      await app.query(`SELECT pg_current_xact_id()`)
      const of = await makeSyncToken(app, db.schema)
      expect(await synced(of)).toBe(false)
      await app.query('ROLLBACK')
      expect(await synced(of)).toBe(true)
    } finally {
      app.release()
    }
  })

  test('gets no yes from a snapshot that is older than the change', async () => {
    const writer = await db.pool.connect()
    const reader = await db.pool.connect()
    try {
      // In progress, with a smaller id than one that has ended: the snapshot's xmax is above it.
      await writer.query('BEGIN')
      await writer.query(
        `INSERT INTO ${db.s}.sync_queue (document, lane, keys, op) VALUES ('city', 0, '{1}', 'update')`,
      )
      await noise()
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
      await reader.query('SELECT 1 FROM pg_class LIMIT 1')
      await writer.query('COMMIT')
      const of = await token()
      expect(await isSynced(reader, db.schema, { token: of, document: 'city' })).toBe(false)
      await reader.query('COMMIT')
      await answer()
      expect(await isSynced(reader, db.schema, { token: of, document: 'city' })).toBe(true)
    } finally {
      writer.release(true)
      reader.release(true)
    }
  })

  test.each([
    ['', 'is no token'],
    ['once upon a time', '"once upon a time" is no token of sync_token()'],
    ["'; DROP TABLE sync_queue; --", 'is no token'],
  ])('%s is refused', async (text, message) => {
    await expect(synced(text)).rejects.toThrow(message)
  })

  test('of another server, timeline or database is refused', async () => {
    const parts = (await token()).split('-')
    const others = [
      ['7000000000000000001', parts[1]],
      [parts[0], '000000FF'],
      [parts[0], parts[1], '1'],
    ]
    for (const other of others) {
      const of = [...other, ...parts.slice(other.length)].join('-')
      await expect(synced(of)).rejects.toThrow('another server, timeline or database')
    }
  })

  test('of a document that is not there is refused', async () => {
    await expect(synced(await token(), 'town')).rejects.toThrow('sluice has no document "town"')
  })
})

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

test('a wait that takes too long says what is missing and what to do', async () => {
  const of = await change(['1', '2'])
  const waited = waitUntilSynced(db.pool, db.schema, { token: of, document: null, timeoutMs: 30 })
  await expect(waited).rejects.toThrow('not synced within 30 ms: city: 2 keys wait')
  const error = await waited.catch((e: unknown) => e)
  expect(error).toBeInstanceOf(TimeoutError)
  expect(error).toMatchObject({ pending: ['city'], remedy: 'No daemon works on city: sluice run' })
})

test('a role with two grants may ask, sees no table of ours, and cannot divert a function', async () => {
  const role = `app_${db.url.split('_').at(-1)}`
  const url = Object.assign(new URL(db.url), { username: role, password: 'x' }).href
  await db.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
  const app = new pg.Pool({ connectionString: url, max: 1 })
  try {
    const of = await change(['1'])
    const ask = () => isSynced(app, db.schema, { token: of, document: null })
    await db.pool.query(`GRANT USAGE ON SCHEMA ${db.s} TO ${role}`)
    await expect(ask()).rejects.toThrow('permission denied for function is_synced')
    await db.pool.query(
      `GRANT EXECUTE ON FUNCTION ${['sync_token', 'is_synced', 'sync_dead', 'sync_pending'].map((name) => `${db.s}.${name}`).join(', ')} TO ${role}`,
    )
    await app.query('CREATE TEMPORARY TABLE sync_queue (LIKE pg_class)')
    expect(await ask()).toBe(false)
    expect(await makeSyncToken(app, db.schema)).toMatch(/^\d+-/)
    expect(await readDeadOf(app, db.schema, { token: of, document: null })).toEqual([])
    await expect(app.query(`SELECT FROM ${db.s}.sync_queue`)).rejects.toThrow('permission denied for table')
    await answer()
    expect(await ask()).toBe(true)
  } finally {
    await app.end()
    await db.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  }
})
