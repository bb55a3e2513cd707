import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LAG_BOUNDS_MS } from '../../src/queue/lag-bounds.ts'
import { writeLog } from '../../src/queue/write-log.ts'
import { type QueueDatabase, queueDatabase } from './queue-fixture.ts'

let db: QueueDatabase
beforeAll(async () => {
  db = await queueDatabase()
  await db.addDocument('city')
  await db.addDocument('idle')
  const entry = {
    index: 'c',
    operation: 'index',
    outcome: 'done',
    count: 98,
    bytes: 10,
    lagSumMs: 1960,
    tookMs: 1,
  } as const
  // 98 within 20 ms, 2 within 200.
  const lagCounts = LAG_BOUNDS_MS.map((bound) => ({ 20: 98, 200: 2 })[bound] ?? 0).concat(0)
  await writeLog(db.pool, db.schema, {
    worker: 'w1',
    document: 'city',
    log: [
      entry,
      { ...entry, outcome: 'retry', count: 1, lagSumMs: 20 },
      { ...entry, outcome: 'superseded', count: 1, lagSumMs: 20 },
    ],
    lagCounts,
    batches: 1,
  })
  await db.pool.query(`INSERT INTO ${db.s}.sync_rollup (minute, document, worker, indexed, deleted, dead, lag_counts)
    VALUES (now() - interval '2 hours', 'city', 'w1', 10, 1, 5, '{1,1}'),
           (now() - interval '3 days', 'city', 'w2', 100, 0, 0, '{}'),
           (now() - interval '8 days', 'city', 'w2', 1000, 0, 0, '{}')`)
  await db.pool.query(`INSERT INTO ${db.s}.sync_queue (document, lane, op, keys, created_at)
    VALUES ('city', 0, 'update', '{1,2,3}', now() - interval '1 minute'), ('city', 1, 'truncate', NULL, now()),
           ('city', 2, 'update', '{4,5}', now() - interval '1 day')`)
  await db.pool.query(`INSERT INTO ${db.s}.sync_failed (document, key, id, version, state, attempts, due_at, type, reason, origin)
    VALUES ('city', '1', '1', 1, 'retrying', 1, now(), 't', 'r', '1'), ('city', '2', '2', 1, 'dead', 1, NULL, 't', 'r', '1'),
           ('city', '3', '3', 1, 'dead', 1, NULL, 't', 'other', '1')`)
})
afterAll(() => db.drop())

test('sync_stats counts what is pending, synced and failed', async () => {
  const rows =
    await db.rows(`SELECT *, oldest_pending_age BETWEEN interval '1 minute' AND interval '2 minutes' AS aged
                                FROM ${db.s}.sync_stats ORDER BY document`)
  expect(rows).toMatchObject([
    {
      document: 'city',
      state: 'active',
      pending_keys: '4',
      parked_keys: '2',
      aged: true,
      synced_last_minute: '98',
      synced_last_hour: '98',
      synced_last_day: '109',
      synced_last_week: '209',
      failed_last_minute: '1',
      failed_last_hour: '1',
      failed_last_day: '6',
      failed_last_week: '6',
      failure_rate: 1 / 99,
      average_lag_ms: 20,
      p99_lag_ms: 150,
      retrying: '1',
      dead: '2',
    },
    {
      document: 'idle',
      pending_keys: '0',
      oldest_pending_age: null,
      synced_last_week: '0',
      failure_rate: 0,
      average_lag_ms: null,
      p99_lag_ms: null,
      dead: '0',
    },
  ])
})

describe('keys of a long queue', () => {
  /** Marks of one key and of three in turn; `filler` ids belong to another document. */
  const fill = (document: string, of: string) =>
    db.pool.query(`INSERT INTO ${db.s}.sync_queue (document, lane, op, keys, target)
      SELECT CASE WHEN ${of} THEN '${document}' ELSE 'filler' END, 2, 'update',
             CASE WHEN n % 2 = 0 THEN ARRAY['k'] ELSE ARRAY['a', 'b', 'c'] END, CASE WHEN n % 4 < 2 THEN 'index' END
        FROM generate_series(1, 20000) AS n`)
  const looked = async (document: string) => {
    const [row] = await db.rows<{ keys: number; targeted: number; exact: boolean; real: number }>(
      `SELECT k.keys::int, k.targeted::int, k.exact, r.real::int
         FROM ${db.s}.queued_keys('${document}', 2::smallint) k,
              (SELECT sum(cardinality(keys)) AS real FROM ${db.s}.sync_queue WHERE document = '${document}') r`,
    )
    if (row === undefined) throw new Error('no row')
    return row
  }

  test.each([
    ['one after the other', 'true', 0.01],
    ['one in three', 'n % 3 = 0', 0.05],
    ['here and there', "hashtext('x' || n) % 3 = 0", 0.2],
    ['few at first, all later', 'n > 10000 OR n % 3 = 0', 0.1],
    ['all at first, few later', 'n < 10000 OR n % 3 = 0', 0.1],
    ['in bursts', 'n / 1000 % 2 = 0', 0.2],
  ])('are estimated, whatever was written in between: %s', async (name, of, tolerance) => {
    await fill(name, of)
    const { keys, targeted, exact, real } = await looked(name)
    expect(exact).toBe(false)
    expect(Math.abs(keys / real - 1)).toBeLessThan(tolerance)
    expect(Math.abs(targeted / (real / 2) - 1)).toBeLessThan(2 * tolerance)
  })

  test('are counted up to 5,000 marks, also beside many of others', async () => {
    await fill('exact', 'n % 4 = 0')
    expect(await looked('exact')).toMatchObject({ keys: 5000, exact: true, real: 5000 })
    await db.pool.query(
      `INSERT INTO ${db.s}.sync_queue (document, lane, op, keys) VALUES ('exact', 2, 'update', '{x}')`,
    )
    expect(await looked('exact')).toMatchObject({ keys: 5001, exact: false, real: 5001 })
  })

  test('are said to be an estimate where the oldest is found', async () => {
    await db.addDocument('long')
    await db.pool.query(`INSERT INTO ${db.s}.sync_queue (document, lane, op, keys, created_at)
      SELECT 'long', 0, 'update', '{k}', now() - n * interval '1 second' FROM generate_series(6000, 1, -1) AS n`)
    expect(
      await db.rows(`SELECT document, keys_are_exact, pending_keys::int, oldest_pending_age > interval '5999 seconds' AS aged
                       FROM ${db.s}.sync_stats ORDER BY document`),
    ).toEqual([
      { document: 'city', keys_are_exact: true, pending_keys: 4, aged: false },
      { document: 'idle', keys_are_exact: true, pending_keys: 0, aged: null },
      { document: 'long', keys_are_exact: false, pending_keys: 6000, aged: true },
    ])
  })
})

test('cleanup makes hours of minutes that are older than a day, and the views say the same', async () => {
  await db.pool.query(`INSERT INTO ${db.s}.sync_rollup
      (minute, document, worker, indexed, deleted, superseded, retried, dead, bytes, batches, lag_sum_ms, lag_counts)
    SELECT date_trunc('hour', now()) - ago * interval '1 hour' + n * interval '1 minute', 'idle', worker, n, 1, 2, 3, 4, 5, 6, 7.5,
           CASE n % 3 WHEN 0 THEN '{1,2}' WHEN 1 THEN '{0,1,5}' ELSE '{}' END::bigint[]
      FROM unnest('{12,50}'::int[]) AS ago, generate_series(0, 59) AS n, unnest('{w1,w2}'::text[]) AS worker`)
  const shown = () =>
    Promise.all([
      db.rows(`SELECT * FROM ${db.s}.sync_hourly ORDER BY hour, document`),
      db.rows(
        `SELECT document, synced_last_day, synced_last_week, failed_last_week FROM ${db.s}.sync_stats ORDER BY 1`,
      ),
    ])
  const rows = (hoursAgo: number) =>
    db.rows(`SELECT FROM ${db.s}.sync_rollup
              WHERE document = 'idle' AND date_trunc('hour', minute) = date_trunc('hour', now()) - ${hoursAgo} * interval '1 hour'`)
  const before = await shown()
  for (const _ of ['once', 'again']) {
    await db.pool.query(`SELECT ${db.s}.cleanup_old_sync_records(30)`)
    expect(await shown()).toEqual(before)
    expect([(await rows(12)).length, (await rows(50)).length]).toEqual([120, 2])
  }
})

test('sync_hourly and sync_lag add workers and minutes up', async () => {
  const hourly =
    await db.rows(`SELECT sum(indexed)::int AS indexed, sum(retried)::int AS retried FROM ${db.s}.sync_hourly
                                 WHERE document = 'city' AND hour > now() - interval '2 days'`)
  expect(hourly).toEqual([{ indexed: 108, retried: 1 }])
  expect(
    await db.rows(`SELECT document, answered, average_ms, p50_ms, p99_ms FROM ${db.s}.sync_lag`),
  ).toEqual([
    {
      document: 'city',
      answered: '100',
      average_ms: 20,
      p50_ms: expect.closeTo(10 + (10 * 50) / 98),
      p99_ms: 150,
    },
  ])
})

test('sync_failures groups by reason', async () => {
  expect(
    await db.rows(
      `SELECT document, type, reason, failures, retrying, dead, example_key FROM ${db.s}.sync_failures ORDER BY reason`,
    ),
  ).toEqual([
    {
      document: 'city',
      type: 't',
      reason: 'other',
      failures: '1',
      retrying: '0',
      dead: '1',
      example_key: '3',
    },
    { document: 'city', type: 't', reason: 'r', failures: '2', retrying: '1', dead: '1', example_key: '1' },
  ])
})

test('sync_runs shows progress and pace', async () => {
  await db.pool.query(`INSERT INTO ${db.s}.sync_run (kind, document, state, total, processed, started_at)
    VALUES ('backfill', 'city', 'running', 1000, 250, clock_timestamp() - interval '10 seconds'),
           ('verify', 'idle', 'requested', NULL, 0, NULL)`)
  expect(
    await db.rows(`SELECT document, progress, per_second > 20 AND per_second <= 25 AS pace,
                          time_left BETWEEN interval '29 seconds' AND interval '40 seconds' AS ends
                     FROM ${db.s}.sync_runs ORDER BY id`),
  ).toEqual([
    { document: 'city', progress: 0.25, pace: true, ends: true },
    { document: 'idle', progress: null, pace: null, ends: null },
  ])
})

describe('lag_percentile', () => {
  const percentile = async (counts: string, share: number) =>
    (
      await db.rows<{ p: number | null }>(
        `SELECT ${db.s}.lag_percentile('${counts}'::bigint[], ${share}) AS p`,
      )
    )[0]?.p

  test('interpolates inside an element, and stops at the last bound', async () => {
    expect(await percentile('{10}', 0.5)).toBe(2.5)
    expect(await percentile('{0,10}', 1)).toBe(10)
    expect(await percentile(`{${LAG_BOUNDS_MS.map(() => 0)},7}`, 0.5)).toBe(7_200_000)
    expect(await percentile('{}', 0.5)).toBeNull()
    expect(await percentile('{0,0}', 0.5)).toBeNull()
  })
})
