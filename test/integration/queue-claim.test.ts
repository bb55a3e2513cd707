import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPool, isConnectionError } from '../../src/postgres/connect.ts'
import { assertClaimLives } from '../../src/queue/assert-claim-lives.ts'
import { claimMarks } from '../../src/queue/claim-marks.ts'
import { enqueueKeys } from '../../src/queue/enqueue-keys.ts'
import { giveBack } from '../../src/queue/give-back.ts'
import { pendingLanes, wholeLanes } from '../../src/queue/pending-lanes.ts'
import { eventually } from '../support/context.ts'
import { claimOn, keysOf, type QueueDatabase, queueDatabase } from './queue-fixture.ts'

let db: QueueDatabase
let one: pg.PoolClient
let two: pg.PoolClient
beforeAll(async () => {
  db = await queueDatabase()
})
afterAll(() => db.drop())
beforeEach(async () => {
  await db.pool.query(`TRUNCATE ${db.s}.sync_queue`)
  one = await db.pool.connect()
  two = await db.pool.connect()
})
afterEach(async () => {
  await giveBack(one)
  await giveBack(two)
  one.release()
  two.release()
})

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => String(from + n))
const mark = (keys: readonly string[], document = 'city') =>
  enqueueKeys(db.pool, db.schema, { document, lane: 0, op: 'update', keys })
const marksLeft = async () =>
  (await db.rows<{ n: number }>(`SELECT count(*)::integer AS n FROM ${db.s}.sync_queue`))[0]?.n

test('takes the marks of one document and one lane, oldest first, with all they say', async () => {
  await mark(['b'])
  await mark(['a'])
  await mark(['x'], 'country')
  await enqueueKeys(db.pool, db.schema, {
    document: 'city',
    lane: 1,
    op: 'backfill',
    keys: ['z'],
    runId: '7',
    origin: '42',
    target: 'cities-2',
  })
  expect(keysOf(await claimOn(one, db.schema, 'city'))).toEqual(['b', 'a'])
  const bulk = await claimOn(two, db.schema, 'city', 1000, 1)
  expect(bulk).toMatchObject({
    document: 'city',
    lane: 1,
    server: expect.stringMatching(/^[0-9A-F]{8}@\d+\.\d{6}$/),
  })
  expect(bulk?.marks).toMatchObject([
    { keys: ['z'], op: 'backfill', source: '', origin: '42', target: 'cities-2', runId: '7' },
  ])
  expect(bulk?.marks[0]?.ageMs).toBeGreaterThanOrEqual(0)
})

test('is null where nothing is pending, and leaves no transaction open', async () => {
  expect(await claimOn(one, db.schema, 'city')).toBeNull()
  const { rows } = await one.query('SELECT now() = statement_timestamp() AS alone')
  expect(rows).toEqual([{ alone: true }])
})

test('is bounded by keys, not by marks', async () => {
  await mark(numbers(1, 1200)) // marks of 500, 500 and 200 keys
  for (const key of ['a', 'b', 'c']) await mark([key])
  const first = await claimOn(one, db.schema, 'city', 1000)
  expect(first?.marks.map(({ keys }) => keys?.length)).toEqual([500, 500])
  // The mark that did not fit is nobody's: the next worker gets it.
  expect(keysOf(await claimOn(two, db.schema, 'city', 202))).toEqual([...numbers(1001, 1200), 'a', 'b'])
})

test('takes one mark, however large', async () => {
  await mark(numbers(1, 600))
  expect((await claimOn(one, db.schema, 'city', 1))?.marks.map(({ keys }) => keys?.length)).toEqual([500])
})

test('counts an "everything" mark as one key', async () => {
  await db.pool.query(`INSERT INTO ${db.s}.sync_queue (document, lane, op) VALUES ('city', 0, 'truncate')`)
  await mark(['a'])
  expect((await claimOn(one, db.schema, 'city', 1))?.marks).toMatchObject([{ keys: null, op: 'truncate' }])
})

test('two claimers take different marks, and together all of them', async () => {
  for (const key of numbers(1, 30)) await mark([key])
  const [a, b] = await Promise.all([claimOn(one, db.schema, 'city', 20), claimOn(two, db.schema, 'city', 20)])
  const taken = [...keysOf(a), ...keysOf(b)]
  expect(taken.length).toBe(30)
  expect(new Set(taken)).toEqual(new Set(numbers(1, 30)))
})

test('goes on behind the marks that another worker holds, and fills up to its bound', async () => {
  for (const key of numbers(1, 10)) await mark([key])
  await claimOn(one, db.schema, 'city', 4)
  expect(keysOf(await claimOn(two, db.schema, 'city', 5))).toEqual(['5', '6', '7', '8', '9'])
})

test('a claim that is given back leaves the queue as it was', async () => {
  await mark(['a'])
  await mark(['b'])
  await claimOn(one, db.schema, 'city')
  await giveBack(one)
  expect(keysOf(await claimOn(two, db.schema, 'city'))).toEqual(['a', 'b'])
})

test('the marks of a terminated backend are there again, and its worker notices', async () => {
  await mark(['a'])
  const lost = await db.pool.connect()
  await claimOn(lost, db.schema, 'city')
  await assertClaimLives(lost)
  const pid = (await lost.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid
  expect(await claimOn(one, db.schema, 'city')).toBeNull()
  await db.pool.query('SELECT pg_terminate_backend($1)', [pid])
  await eventually(async () => expect(keysOf(await claimOn(one, db.schema, 'city'))).toEqual(['a']))
  const error = await assertClaimLives(lost).catch((e: unknown) => e)
  expect(isConnectionError(error)).toBe(true)
  lost.release(true)
})

test('a claim that idles for too long is cut off', async () => {
  await mark(['a'])
  const stuck = await db.pool.connect()
  await claimMarks(stuck, db.schema, { document: 'city', lane: 0, maxKeys: 10, idleTimeoutMs: 50 })
  await eventually(async () => expect(keysOf(await claimOn(one, db.schema, 'city'))).toEqual(['a']))
  await expect(assertClaimLives(stuck)).rejects.toThrow()
  stuck.release(true)
})

test('a claim lives only as long as its transaction', async () => {
  await mark(['a'])
  await claimOn(one, db.schema, 'city')
  await giveBack(one)
  await expect(assertClaimLives(one)).rejects.toThrow('the claim is gone')
})

test('walks the primary key, whatever the statistics say', async () => {
  await db.pool.query(`INSERT INTO ${db.s}.sync_queue (document, lane, op, keys)
    SELECT 'city', 0, 'update', ARRAY[n::text] FROM generate_series(1, 20000) n`)
  // As after an analysis that found the queue full of other documents.
  await mark(numbers(1, 500), 'other')
  await db.pool.query(`ANALYZE ${db.s}.sync_queue`)
  // A backend of its own: it counts the scans of its open transaction and of nothing before.
  const fresh = createPool(db.url, { max: 1, applicationName: 'sluice test' })
  const client = await fresh.connect()
  expect((await claimOn(client, db.schema, 'city', 1000))?.marks.length).toBe(1000)
  const { rows } = await client.query(
    `SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relid = '${db.s}.sync_queue'::regclass`,
  )
  expect(rows).toEqual([{ seq_scan: '0' }])
  await giveBack(client)
  client.release()
  await fresh.end()
})

test('from the front on, the dead marks before it are not walked over while an old snapshot keeps them', async () => {
  const [old, client] = await Promise.all([db.pool.connect(), db.pool.connect()])
  const lane = { document: 'city', lane: 0 } as const
  /** Entries of the primary key that this reads; those of dead marks count. */
  const entriesRead = async (work: () => Promise<unknown>) => {
    const read = async () => {
      const { rows } = await client.query<{ read: string }>(
        `SELECT pg_stat_get_xact_tuples_returned('${db.s}.sync_queue_pkey'::regclass) AS read`,
      )
      return Number(rows[0]?.read)
    }
    const before = await read()
    await work()
    return (await read()) - before
  }
  try {
    await old.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class')
    await db.pool.query(`INSERT INTO ${db.s}.sync_queue (document, lane, op, keys)
      SELECT 'city', 0, 'update', ARRAY[n::text] FROM generate_series(1, 5000) n`)
    await db.pool.query(`DELETE FROM ${db.s}.sync_queue`)
    await mark(['living'])
    const [living] = (await pendingLanes(db.pool, db.schema, wholeLanes(['city']))).lanes
    if (living === undefined) throw new Error('the mark is not seen')

    for (const [front, walks] of [
      [0n, true],
      [living.front, false],
    ] as const) {
      const claimed = await entriesRead(async () => {
        const asked = { ...lane, front, maxKeys: 10, idleTimeoutMs: 60_000 }
        const claim = await claimMarks(client, db.schema, asked)
        expect(claim?.marks.map(({ keys }) => keys)).toEqual([['living']])
      })
      const looked = await entriesRead(() => pendingLanes(client, db.schema, [{ ...lane, front }]))
      expect({ front, claimed: claimed > 5000, looked: looked > 5000 }).toEqual({
        front,
        claimed: walks,
        looked: walks,
      })
      await giveBack(client)
    }
  } finally {
    client.release(true)
    old.release(true)
  }
})

test('the poll names documents and lanes with marks, and no parked ones', async () => {
  await mark(['a'])
  await enqueueKeys(db.pool, db.schema, { document: 'country', lane: 1, op: 'backfill', keys: ['b'] })
  await enqueueKeys(db.pool, db.schema, { document: 'parked', lane: 2, op: 'update', keys: ['c'] })
  const { lanes, lastId } = await pendingLanes(
    db.pool,
    db.schema,
    wholeLanes(['city', 'country', 'parked', 'idle']),
  )
  expect(lanes).toEqual([
    { document: 'city', lane: 0, front: expect.any(BigInt) },
    { document: 'country', lane: 1, front: expect.any(BigInt) },
  ])
  const fronts = lanes.map(({ front }) => front)
  expect(fronts[1]).toBe((fronts[0] ?? 0n) + 1n)
  expect(lastId).toBe((fronts[1] ?? 0n) + 1n)
  const none = { lanes: [], lastId: null }
  expect(await pendingLanes(db.pool, db.schema, wholeLanes(['idle']))).toEqual(none)
  expect(await pendingLanes(db.pool, db.schema, [])).toEqual(none)
})

test('the poll walks the primary key, whatever statistics said when its plan was made', async () => {
  const client = await db.pool.connect()
  try {
    await client.query(`VACUUM ANALYZE ${db.s}.sync_queue`)
    // A plan is kept from the sixth call on at the latest.
    for (let n = 0; n < 10; n++) await pendingLanes(client, db.schema, wholeLanes(['city']))
    await db.pool.query(`INSERT INTO ${db.s}.sync_queue (document, lane, op, keys)
      SELECT 'city', 1, 'update', ARRAY[n::text] FROM generate_series(1, 5000) n`)
    const scanned = async () => {
      const { rows } = await client.query<{ scanned: string }>(
        `SELECT pg_stat_get_xact_tuples_returned('${db.s}.sync_queue'::regclass) AS scanned`,
      )
      return Number(rows[0]?.scanned)
    }
    const before = await scanned()
    const { lanes } = await pendingLanes(client, db.schema, wholeLanes(['city']))
    expect(lanes.map(({ lane }) => lane)).toEqual([1])
    expect((await scanned()) - before).toBe(0)
  } finally {
    client.release()
  }
})

test('a temporary table named like ours swallows nothing and shows nothing', async () => {
  await db.addDocument('city')
  await mark(['real'])
  await one.query(`CREATE TEMP TABLE sync_queue (LIKE ${db.s}.sync_queue INCLUDING DEFAULTS);
    CREATE TEMP TABLE sync_document (LIKE ${db.s}.sync_document);
    SET search_path = pg_temp, ${db.s}`)
  try {
    await one.query(`SELECT ${db.s}.enqueue('city', 'enqueued')`)
    expect(keysOf(await claimOn(one, db.schema, 'city'))).toEqual(['real', 'enqueued'])
    expect((await one.query('SELECT * FROM pg_temp.sync_queue')).rows).toEqual([])
    await giveBack(one)
    expect(await marksLeft()).toBe(2)
  } finally {
    await giveBack(one)
    await one.query('DISCARD ALL')
  }
})
