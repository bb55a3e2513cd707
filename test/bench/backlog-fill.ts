import { article, articleTable, fillTable } from './rows.ts'
import { nested } from './subject.ts'
import type { World } from './world.ts'

/** What a database holds after a month of work that has fallen behind: everything but the speed of it is made by SQL. */

/** Rows of a document's root table: what is measured reads the queue and the log, and no document. */
const ROWS = 1_000

/** Of the log. One batch a second, by two daemons in turn. */
const DAYS = 30

/** Refused documents, three in five of them to be tried again. */
const FAILURES = 5_000

/** One document of three tables and three of one, each with its share of the marks in percent. */
export const documents = {
  story: nested.definition,
  article,
  product: { ...article, table: 'product', index: 'bench-product' },
  venue: { ...article, table: 'venue', index: 'bench-venue' },
}

/** Marks by number: half are of story, and so on; 60 % interactive, 38 % bulk, 2 % parked. */
const document = (n: string) =>
  `(ARRAY['story','story','article','story','product','story','article','story','product','venue'])[1 + ${n} % 10]`
const lane = (n: string) =>
  `CASE WHEN ${n} * 37 % 100 < 60 THEN 0 WHEN ${n} * 37 % 100 < 98 THEN 1 ELSE 2 END`

/** Tables, triggers and indices, two daemons that are taken for alive, and a month of outcomes, failures and runs. */
export async function fillHistory(world: World): Promise<void> {
  const { pool, postgresUrl, sluice } = world
  // It would come in the midst of a measurement, and what it does to one is a case of its own.
  await pool.query('ALTER SYSTEM SET autovacuum = off')
  await pool.query('SELECT pg_reload_conf()')
  await nested.fill(world, ROWS)
  for (const table of ['article', 'product', 'venue']) {
    await pool.query(articleTable(table))
    await fillTable(postgresUrl, { table, count: ROWS })
  }
  await sluice('install', '--no-backfill')
  await pool.query(`
    INSERT INTO sluice.sync_worker (instance, host, pid, version, state, documents, seen_at)
    SELECT 'daemon-' || n, 'bench', n, '0.0.0', 'running', (SELECT jsonb_object_agg(name, hash) FROM sluice.sync_document),
           now() + interval '1 day'
      FROM generate_series(1, 2) AS n`)
  await fillLog(world)
  await pool.query(`
    INSERT INTO sluice.sync_failed (document, key, id, target, version, state, attempts, due_at, type, reason, origin, first_failed_at, last_failed_at)
    SELECT ${document('n')}, n::text, n::text, (SELECT i.name FROM sluice.sync_index i WHERE i.document = ${document('n')}),
           n, s.state, 1 + n % 5, CASE s.state WHEN 'retrying' THEN now() + n * interval '1 second' END,
           (ARRAY['mapper_parsing_exception','strict_dynamic_mapping_exception','illegal_argument_exception'])[1 + n % 3],
           'reason number ' || n % 12, '1', now() - n * interval '7 minutes', now() - n * interval '5 minutes'
      FROM generate_series(1, ${FAILURES}) AS n
     CROSS JOIN LATERAL (SELECT CASE WHEN n % 5 < 3 THEN 'retrying' ELSE 'dead' END AS state) s`)
  // Sixteen a day that have ended, and one of each document that is under way.
  await pool.query(`
    INSERT INTO sluice.sync_run (kind, document, state, total, walked, processed, updated, result, requested_at, started_at, finished_at)
    SELECT k.kind, ${document('n')}, CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'done' END, 1000, 1000, 1000, 1000,
           CASE k.kind WHEN 'verify' THEN '{"comparison": {"rows": 1000, "documents": 1000, "missing": 0, "stale": 0, "extra": 0}}'::jsonb END,
           s.at, s.at, s.at + interval '1 minute'
      FROM generate_series(1, ${DAYS * 16}) AS n
     CROSS JOIN LATERAL (SELECT (ARRAY['backfill','verify','verify','optimize'])[1 + n % 4] AS kind) k
     CROSS JOIN LATERAL (SELECT now() - (${DAYS * 16} - n) * interval '90 minutes' - interval '2 minutes' AS at) s;
    INSERT INTO sluice.sync_run (kind, document, state, worker, total, walked, processed, requested_at, started_at, heartbeat_at)
    SELECT 'backfill', d.name, 'running', 'daemon-1', 1000, 500, 400, now(), now(), now() + interval '1 day'
      FROM sluice.sync_document d`)
}

/** A row of the log a second and its minutes in the rollup, from thirty days ago to an hour after now, for measuring takes a while. */
async function fillLog({ pool }: World): Promise<void> {
  await pool.query(`
    SELECT sluice.create_log_partition((now() AT TIME ZONE 'UTC')::date - n) FROM generate_series(-2, ${DAYS}) AS n;
    INSERT INTO sluice.sync_log (at, worker, document, index, operation, outcome, count, bytes, lag_ms, took_ms)
    SELECT now() + g.m * interval '1 second', 'daemon-' || 1 + n / 10 % 2, d.name, i.name,
           CASE WHEN n % 20 = 0 THEN 'delete' ELSE 'index' END, CASE WHEN n % 97 = 0 THEN 'retry' ELSE 'done' END,
           300 + n % 700, 240000 + n % 560000, 8 + n % 60, 12 + n % 30
      FROM generate_series(-${DAYS * 86_400}, 3600) AS g (m) CROSS JOIN LATERAL (SELECT abs(g.m) AS n, ${document('abs(g.m)')} AS name) d
      JOIN sluice.sync_index i ON i.document = d.name
     ORDER BY g.m`)
  await pool.query(`
    INSERT INTO sluice.sync_rollup (minute, document, worker, indexed, deleted, retried, bytes, batches, lag_sum_ms, lag_counts)
    SELECT date_trunc('minute', at), document, worker, coalesce(sum(count) FILTER (WHERE operation = 'index' AND outcome = 'done'), 0),
           coalesce(sum(count) FILTER (WHERE operation = 'delete' AND outcome = 'done'), 0),
           coalesce(sum(count) FILTER (WHERE outcome = 'retry'), 0), sum(bytes), count(*), sum(count * lag_ms),
           ARRAY[sum(count) * 2 / 100, sum(count) * 20 / 100, sum(count) * 40 / 100, sum(count) * 20 / 100, sum(count) * 10 / 100,
                 sum(count) * 5 / 100, sum(count) * 2 / 100, sum(count) / 100, 0, 0, 0, 0, 0, 0, 0, 0, 0]::bigint[]
      FROM sluice.sync_log GROUP BY 1, 2, 3 ORDER BY 1`)
}

/** Adds marks until there are `marks`, as an application and runs would have left them over six hours. */
export async function fillQueue({ pool }: World, from: number, to: number): Promise<void> {
  await pool.query(
    `INSERT INTO sluice.sync_queue (document, lane, source, keys, op, target, run_id, created_at)
     SELECT d.name, l.lane, CASE WHEN d.name = 'story' AND n % 7 = 0 THEN 'replies' ELSE '' END,
            CASE WHEN l.lane = 1 THEN ARRAY(SELECT (n + k)::text FROM generate_series(0, n % 5) AS k) ELSE ARRAY[n::text] END,
            'update', CASE WHEN l.lane = 2 AND n % 3 = 0 THEN i.name END,
            CASE WHEN l.lane = 1 AND n % 11 = 0 THEN r.id END,
            now() - interval '6 hours' + (n - $1::bigint) * (interval '6 hours' / ($2::bigint - $1::bigint))
       FROM generate_series($1::bigint + 1, $2::bigint) AS n
      CROSS JOIN LATERAL (SELECT ${document('n')} AS name) d
      CROSS JOIN LATERAL (SELECT ${lane('n')} AS lane) l
       JOIN sluice.sync_index i ON i.document = d.name
       JOIN sluice.sync_run r ON r.document = d.name AND r.state = 'running'
      ORDER BY n`,
    [from, to],
  )
}
