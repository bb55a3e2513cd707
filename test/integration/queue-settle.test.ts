import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { enqueueKeys } from '../../src/queue/enqueue-keys.ts'
import { giveBack } from '../../src/queue/give-back.ts'
import { requeueDueFailures } from '../../src/queue/requeue-due-failures.ts'
import { settleBatch } from '../../src/queue/settle-batch.ts'
import type { BatchKey, Settlement } from '../../src/queue/types.ts'
import { claimOn, failure, keysOf, type QueueDatabase, queueDatabase, settlement } from './queue-fixture.ts'

let db: QueueDatabase
let client: pg.PoolClient
beforeAll(async () => {
  db = await queueDatabase()
  await db.addDocument('city')
})
afterAll(() => db.drop())
beforeEach(async () => {
  await db.pool.query(
    `TRUNCATE ${db.s}.sync_queue, ${db.s}.sync_failed, ${db.s}.sync_run, ${db.s}.sync_rollup`,
  )
  client = await db.pool.connect()
})
afterEach(async () => {
  await giveBack(client)
  client.release()
})

const mark = (keys: readonly string[]) =>
  enqueueKeys(db.pool, db.schema, { document: 'city', lane: 0, op: 'update', keys })
const failed = () =>
  db.rows(`SELECT key, target, version::text, state, attempts, reason, origin::text
             FROM ${db.s}.sync_failed ORDER BY key, target`)
const queued = () =>
  db.rows(
    `SELECT document, lane, keys, op, origin::text, target, run_id::text FROM ${db.s}.sync_queue ORDER BY id`,
  )

/** Claims a mark and settles it so. */
async function settle(change: Partial<Settlement>, maxRetries = 5): Promise<void> {
  await mark(['_'])
  await claimOn(client, db.schema, 'city')
  await settleBatch(client, db.schema, settlement(change), { worker: 'w1', maxRetries })
}

test('a settled batch leaves neither marks nor rows, and closes its transaction', async () => {
  await settle({ succeeded: new Map([['cities-1', ['1', '2']]]) })
  expect(await queued()).toEqual([])
  expect(await failed()).toEqual([])
  expect((await client.query('SELECT now() = statement_timestamp() AS alone')).rows).toEqual([
    { alone: true },
  ])
})

test('a settlement that cannot be committed says so, and the marks are there again', async () => {
  await mark(['a'])
  await claimOn(client, db.schema, 'city')
  await client.query('SELECT 1 / 0').catch(() => undefined)
  const settled = settleBatch(client, db.schema, settlement({}), { worker: 'w1', maxRetries: 5 })
  await expect(settled).rejects.toThrow('rolled back')
  await giveBack(client)
  expect(keysOf(await claimOn(client, db.schema, 'city'))).toEqual(['a'])
})

describe('failures', () => {
  test('are retried with growing pauses, and dead after maxRetries attempts', async () => {
    const pauses: number[] = []
    for (const attempt of [1, 2, 3]) {
      await settle({ failures: [failure('1')], version: BigInt(attempt) }, 4)
      expect(await failed()).toMatchObject([
        { key: '1', state: 'retrying', attempts: attempt, version: String(attempt) },
      ])
      const [row] = await db.rows<{ pause: number }>(
        `SELECT extract(epoch FROM due_at - last_failed_at)::float8 AS pause FROM ${db.s}.sync_failed`,
      )
      pauses.push(row?.pause ?? 0)
    }
    // 1, 2 and 4 seconds, less up to a quarter.
    pauses.forEach((pause, n) => {
      expect(pause).toBeGreaterThan(0.7 * 2 ** n)
      expect(pause).toBeLessThanOrEqual(1.01 * 2 ** n)
    })
    await settle({ failures: [failure('1')], version: 4n }, 4)
    expect(await failed()).toMatchObject([{ state: 'dead', attempts: 4 }])
    expect(await db.rows(`SELECT due_at FROM ${db.s}.sync_failed`)).toEqual([{ due_at: null }])
  })

  test('pause ten minutes at most', async () => {
    const [row] = await db.rows(
      `SELECT bool_and(${db.s}.retry_delay(n) BETWEEN interval '7.5 minutes' AND interval '10 minutes') AS capped
         FROM generate_series(11, 1000) n`,
    )
    expect(row).toEqual({ capped: true })
  })

  test('are dead at once where retrying is useless', async () => {
    await settle({ failures: [failure('1', { dead: true })] })
    expect(await failed()).toMatchObject([{ state: 'dead', attempts: 1 }])
  })

  test('of a dead document begin anew when it was tried anew; whoever waits for its first change waits for them', async () => {
    await settle({ failures: [failure('1', { dead: true })], version: 1n })
    await settle({ failures: [failure('1', { origin: '99' })], version: 2n })
    expect(await failed()).toMatchObject([{ state: 'retrying', attempts: 1, origin: '10' }])
  })

  test('of an older version leave a newer outcome alone', async () => {
    await settle({ failures: [failure('1', { reason: 'new' })], version: 20n })
    await settle({ failures: [failure('1', { reason: 'old', dead: true })], version: 19n })
    expect(await failed()).toMatchObject([{ reason: 'new', version: '20', state: 'retrying', attempts: 1 }])
  })

  test('keep the oldest origin while they are retried', async () => {
    await settle({ failures: [failure('1', { origin: '50' })], version: 1n })
    await settle({ failures: [failure('1', { origin: '70' })], version: 2n })
    expect(await failed()).toMatchObject([{ origin: '50', attempts: 2 }])
  })

  test('to read a row replace refusals of its document, and the other way round', async () => {
    await settle({
      failures: [failure('1'), failure('1', { target: 'cities-2' }), failure('2')],
      version: 1n,
    })
    await settle({ failures: [failure('1', { target: '', dead: true })], version: 2n })
    expect(await failed()).toMatchObject([
      { key: '1', target: '', version: '2' },
      { key: '2', target: 'cities-1', version: '1' },
    ])
    await settle({ failures: [failure('1')], version: 3n })
    expect(await failed()).toMatchObject([
      { key: '1', target: 'cities-1', version: '3' },
      { key: '2', target: 'cities-1', version: '1' },
    ])
  })

  test('replace nothing of a newer version', async () => {
    await settle({ failures: [failure('1')], version: 20n })
    await settle({ failures: [failure('1', { target: '' })], version: 19n })
    expect(await failed()).toMatchObject([{ target: '' }, { target: 'cities-1', version: '20' }])
  })

  test('whose reason no text column can hold are stored all the same', async () => {
    await settle({ failures: [failure('1', { reason: 'bad \0 byte' })] })
    expect(await failed()).toMatchObject([{ reason: 'bad \u{fffd} byte' }])
  })
})

describe('successes', () => {
  test('erase failures of the same or an older version, of that index and of reading', async () => {
    const failures = [
      failure('1'),
      failure('1', { target: '' }),
      failure('1', { target: 'cities-2' }),
      failure('2'),
    ]
    await settle({ failures, version: 7n })
    await settle({ succeeded: new Map([['cities-1', ['1']]]), version: 7n })
    expect(await failed()).toMatchObject([
      { key: '1', target: 'cities-2' },
      { key: '2', target: 'cities-1' },
    ])
  })

  test('leave failures of a newer version alone', async () => {
    await settle({ failures: [failure('1')], version: 8n })
    await settle({ succeeded: new Map([['cities-1', ['1']]]), version: 7n })
    expect(await failed()).toHaveLength(1)
  })

  test('of other keys in the same batch go with failures', async () => {
    await settle({ failures: [failure('1'), failure('2')], version: 1n })
    await settle({ failures: [failure('1')], succeeded: new Map([['cities-1', ['2']]]), version: 2n })
    expect(await failed()).toMatchObject([{ key: '1', attempts: 2 }])
  })
})

test("two settlements that record and erase each other's keys do not deadlock", async () => {
  const other = await db.pool.connect()
  try {
    for (let n = 1; n < 20; n++) {
      await mark(['_'])
      await claimOn(client, db.schema, 'city')
      await mark(['_'])
      await claimOn(other, db.schema, 'city')
      const batch = (failing: string, fine: string) =>
        settlement({
          version: BigInt(n),
          failures: [failure(failing)],
          succeeded: new Map([['cities-1', [fine]]]),
          batches: 1,
        })
      const options = { worker: 'w1', maxRetries: 1000 }
      await Promise.all([
        settleBatch(client, db.schema, batch('a', 'b'), options),
        settleBatch(other, db.schema, batch('b', 'a'), options),
      ])
    }
  } finally {
    await giveBack(other)
    other.release()
  }
})

test('keys given back are marked again, uncharged: same lane, op, origin, target, run and age', async () => {
  await settle({
    lane: 1,
    givenBack: [
      { key: 'a', origin: '5', target: null, runId: '3', ageMs: 60_000, op: 'delete' },
      { key: 'b', origin: '5', target: null, runId: '3', ageMs: 30_000, op: 'delete' },
      { key: 'c', origin: '6', target: 'cities-2', runId: null, ageMs: 0, op: 'update' },
    ],
  })
  expect(await queued()).toEqual([
    { document: 'city', lane: 1, keys: ['a', 'b'], op: 'delete', origin: '5', target: null, run_id: '3' },
    { document: 'city', lane: 1, keys: ['c'], op: 'update', origin: '6', target: 'cities-2', run_id: null },
  ])
  const [row] = await db.rows(
    `SELECT clock_timestamp() - min(created_at) BETWEEN interval '1 minute' AND interval '2 minutes' AS aged FROM ${db.s}.sync_queue`,
  )
  expect(row).toEqual({ aged: true })
  expect(await failed()).toEqual([])
})

test('array marks never exceed 500 keys', async () => {
  const keys = Array.from({ length: 1001 }, (_, n) => String(n))
  const givenBack = keys.map(
    (key): BatchKey => ({ key, origin: '5', target: null, runId: null, ageMs: 0, op: 'update' }),
  )
  await settle({ givenBack })
  await mark(keys)
  const sizes = await db.rows<{ n: number }>(
    `SELECT cardinality(keys) AS n FROM ${db.s}.sync_queue ORDER BY id`,
  )
  expect(sizes.map(({ n }) => n)).toEqual([500, 500, 1, 500, 500, 1])
})

test('counts are added to the runs of the batch', async () => {
  const [run] = await db.rows<{ id: string }>(
    `INSERT INTO ${db.s}.sync_run (kind, document) VALUES ('backfill', 'city') RETURNING id`,
  )
  const counts = { runId: run?.id ?? '', processed: 5, created: 2, updated: 1, deleted: 1, failed: 1 }
  await settle({ runs: [counts, { ...counts, runId: '999999' }] })
  await settle({ runs: [counts] })
  const rows = await db.rows(`SELECT processed, created, updated, deleted, failed FROM ${db.s}.sync_run`)
  expect(rows).toEqual([{ processed: '10', created: '4', updated: '2', deleted: '2', failed: '2' }])
})

describe('due failures', () => {
  const due = (keys: readonly string[], target = 'cities-1') =>
    db.pool.query(
      `INSERT INTO ${db.s}.sync_failed (document, key, target, id, version, state, attempts, due_at, type, reason, origin)
       SELECT 'city', k, $2, k, 1, 'retrying', 1, now() - interval '1 second', 't', 'r', '33' FROM unnest($1::text[]) k`,
      [keys, target],
    )

  test('are marked once, with their origin and for their index', async () => {
    await due(['a', 'b'])
    await due(['c'], '')
    await settle({ failures: [failure('later')] })
    const counts = await Promise.all(
      [1, 2, 3].map(() => requeueDueFailures(db.pool, db.schema, ['city', 'other'])),
    )
    expect(counts.reduce((sum, n) => sum + n)).toBe(3)
    expect(await queued()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ keys: ['a', 'b'], op: 'retry', lane: 0, origin: '33', target: 'cities-1' }),
        expect.objectContaining({ keys: ['c'], op: 'retry', lane: 0, origin: '33', target: null }),
      ]),
    )
    expect(await failed()).toHaveLength(4)
  })

  test('of other documents, dead ones, and those not due stay', async () => {
    await due(['a'])
    expect(await requeueDueFailures(db.pool, db.schema, ['other'])).toBe(0)
    await db.pool.query(`UPDATE ${db.s}.sync_failed SET due_at = now() + interval '10 minutes'`)
    expect(await requeueDueFailures(db.pool, db.schema, ['city'])).toBe(0)
    await db.pool.query(`UPDATE ${db.s}.sync_failed SET due_at = NULL, state = 'dead'`)
    expect(await requeueDueFailures(db.pool, db.schema, ['city'])).toBe(0)
    expect(await queued()).toEqual([])
  })

  test('by a clock that was put back meanwhile do not wait until it is where it was', async () => {
    await due(['a'])
    // As if it had failed while the database's clock was an hour ahead.
    await db.pool.query(`UPDATE ${db.s}.sync_failed SET due_at = due_at + interval '1 hour'`)
    expect(await requeueDueFailures(db.pool, db.schema, ['city'])).toBe(1)
    expect(await queued()).toMatchObject([{ keys: ['a'], op: 'retry' }])
    expect(await requeueDueFailures(db.pool, db.schema, ['city'])).toBe(0)
  })

  test('by the hundred go into the bulk lane', async () => {
    await due(Array.from({ length: 101 }, (_, n) => String(n)))
    expect(await requeueDueFailures(db.pool, db.schema, ['city'])).toBe(101)
    expect(await queued()).toMatchObject([{ lane: 1 }])
  })
})
