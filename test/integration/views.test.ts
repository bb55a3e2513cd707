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
