import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { LAG_BOUNDS_MS } from '../../src/queue/lag-bounds.ts'
import { ensureLogPartitions } from '../../src/queue/log-partitions.ts'
import { settleBatch } from '../../src/queue/settle-batch.ts'
import type { LogEntry } from '../../src/queue/types.ts'
import { writeLog } from '../../src/queue/write-log.ts'
import { claimOn, type QueueDatabase, queueDatabase, settlement } from './queue-fixture.ts'

let db: QueueDatabase
beforeAll(async () => {
  db = await queueDatabase()
})
afterAll(() => db.drop())
beforeEach(async () => {
  await db.pool.query(`TRUNCATE ${db.s}.sync_queue, ${db.s}.sync_rollup`)
  for (const partition of await partitions()) await db.pool.query(`DROP TABLE ${db.s}.${partition}`)
})

const partitions = async () =>
  (
    await db.rows<{ name: string }>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = '${db.s}.sync_log'::regclass ORDER BY 1`,
    )
  ).map(({ name }) => name)

const entry = (change: Partial<LogEntry> = {}): LogEntry => ({
  index: 'cities-1',
  operation: 'index',
  outcome: 'done',
  count: 4,
  bytes: 1000,
  lagSumMs: 200,
  tookMs: 12.5,
  ...change,
})
const counts = LAG_BOUNDS_MS.map((_, n) => (n === 3 ? 4 : 0)).concat(0)
const due = (log: readonly LogEntry[]) => ({
  worker: 'w1',
  document: 'city',
  log,
  lagCounts: counts,
  batches: 1,
})
const logged = () =>
  db.rows(
    `SELECT worker, document, index, operation, outcome, count, bytes, lag_ms, took_ms FROM ${db.s}.sync_log`,
  )

test('partitions are made for today and two days ahead, once', async () => {
  const made = await Promise.all([1, 2, 3, 4].map(() => ensureLogPartitions(db.pool, db.schema)))
  expect(made.reduce((sum, n) => sum + n)).toBe(3)
  expect(await partitions()).toHaveLength(3)
})

test('a missing partition is made on the spot, also by several at once', async () => {
  await Promise.all([1, 2, 3, 4].map(() => writeLog(db.pool, db.schema, due([entry()]))))
  expect(await partitions()).toHaveLength(1)
  expect(await logged()).toEqual(
    Array(4).fill({
      worker: 'w1',
      document: 'city',
      index: 'cities-1',
      operation: 'index',
      outcome: 'done',
      count: '4',
      bytes: '1000',
      lag_ms: 50,
      took_ms: 12.5,
    }),
  )
})

test('outcomes of one minute are added up in the rollup', async () => {
  const log = [
    entry(),
    entry({ operation: 'delete', count: 1 }),
    entry({ outcome: 'superseded', count: 2 }),
    entry({ outcome: 'retry', count: 3 }),
    entry({ outcome: 'dead', operation: 'none', count: 5, lagSumMs: 0 }),
  ]
  for (let n = 0; n < 3; n++) await writeLog(db.pool, db.schema, due(log))
  const rows = await db.rows(
    `SELECT sum(indexed)::int AS indexed, sum(deleted)::int AS deleted, sum(superseded)::int AS superseded,
            sum(retried)::int AS retried, sum(dead)::int AS dead, sum(bytes)::int AS bytes,
            sum(batches)::int AS batches, sum(lag_sum_ms) AS lag, sum(lag_counts[4])::int AS fast
       FROM ${db.s}.sync_rollup`,
  )
  expect(rows).toEqual([
    {
      indexed: 12,
      deleted: 3,
      superseded: 6,
      retried: 9,
      dead: 15,
      bytes: 15000,
      batches: 3,
      lag: 2400,
      fast: 12,
    },
  ])
})

test('a batch is settled though its log cannot be written', async () => {
  await db.pool.query(
    `INSERT INTO ${db.s}.sync_queue (document, lane, op, keys) VALUES ('city', 0, 'update', '{1}')`,
  )
  await db.pool.query(`ALTER TABLE ${db.s}.sync_log ADD CONSTRAINT full_disk CHECK (false) NOT VALID`)
  const client = await db.pool.connect()
  try {
    await claimOn(client, db.schema, 'city')
    await settleBatch(client, db.schema, settlement({ log: [entry()], lagCounts: counts, batches: 1 }), {
      worker: 'w1',
      maxRetries: 5,
    })
  } finally {
    client.release()
    await db.pool.query(`ALTER TABLE ${db.s}.sync_log DROP CONSTRAINT full_disk`)
  }
  expect(await logged()).toEqual([])
  expect(await db.rows(`SELECT FROM ${db.s}.sync_queue`)).toEqual([])
  expect(await db.rows(`SELECT indexed FROM ${db.s}.sync_rollup`)).toEqual([{ indexed: '4' }])
})

const dropOld = async (days: number) => {
  const rows = await db.rows<{ dropped: number }>(`SELECT ${db.s}.drop_old_log_partitions($1) AS dropped`, [
    days,
  ])
  return rows[0]?.dropped
}

test('partitions older than the retention are dropped, younger ones are not', async () => {
  const today = "(clock_timestamp() AT TIME ZONE 'UTC')::date"
  await db.pool.query(`SELECT ${db.s}.create_log_partition(${today} - n) FROM generate_series(-1, 9) n`)
  expect(await dropOld(7)).toBe(2)
  expect(await partitions()).toHaveLength(9)
  expect(await dropOld(0)).toBe(7)
  expect(await partitions()).toHaveLength(2)
  await expect(dropOld(-1)).rejects.toThrow('0 or more')
})

test('a partition in use stays, and its reader is not disturbed', async () => {
  await db.pool.query(`SELECT ${db.s}.create_log_partition(date '2024-02-29')`)
  const reader = await db.pool.connect()
  await reader.query(`BEGIN; SELECT * FROM ${db.s}.sync_log_20240229`)
  expect(await dropOld(7)).toBe(0)
  await reader.query('COMMIT')
  reader.release()
  expect(await dropOld(7)).toBe(1)
})

test('cleanup says what it removed', async () => {
  await db.pool.query(`SELECT ${db.s}.create_log_partition(date '2024-02-29')`)
  await db.pool.query(`INSERT INTO ${db.s}.sync_rollup (minute, document, worker, lag_counts)
    SELECT now() - n * interval '1 day', 'city', 'w', '{}' FROM generate_series(1, 10) n`)
  await db.pool.query(`INSERT INTO ${db.s}.sync_worker (instance, host, pid, version, state, seen_at)
    VALUES ('old', 'h', 1, '1', 'stopped', now() - interval '2 days'), ('new', 'h', 2, '1', 'running', now())`)
  await db.addDocument('city')
  await db.pool.query(`INSERT INTO ${db.s}.sync_alert (name, severity, reason, since, cleared_at, notify)
    SELECT 'drift', 'warning', 'x', now() - interval '9 days', c, true FROM (VALUES (now() - interval '8 days'), (now()), (NULL)) v (c)`)
  await db.pool.query(`INSERT INTO ${db.s}.sync_run (kind, document, state, finished_at)
    SELECT 'verify', 'city', 'done', now() - n * interval '5 days' FROM generate_series(4, 2, -1) n`)
  expect(await db.rows(`SELECT * FROM ${db.s}.cleanup_old_sync_records(7)`)).toEqual([
    { records: 'sync_rollup', removed: '3' },
    { records: 'sync_run', removed: '2' },
    { records: 'sync_audit', removed: '0' },
    { records: 'sync_worker', removed: '1' },
    { records: 'sync_alert', removed: '1' },
    { records: 'sync_log partitions', removed: '1' },
  ])
})

test('the histogram means the same here and in the program', async () => {
  expect(await db.rows(`SELECT ${db.s}.lag_bounds() AS bounds`)).toEqual([{ bounds: LAG_BOUNDS_MS }])
})
