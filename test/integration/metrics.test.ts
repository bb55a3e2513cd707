import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULT_ALERTS } from '../../src/config/alerts.ts'
import { createMetrics, type Metrics } from '../../src/metrics/metrics.ts'
import { requestRun } from '../../src/queue/request-run.ts'
import { evaluateAlerts } from '../../src/sync/watch-alerts.ts'
import { eventually } from '../support/context.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type Gate, type InstancesWorld, instancesWorld, startGate } from './instances-world.ts'

/** What Prometheus sees of a daemon on real servers. The metrics read as a role of their own, which can be shut out. */

const ROLE = `metrics_${randomBytes(5).toString('hex')}`
let world: InstancesWorld
let metrics: Metrics
let gate: Gate
let proxy: FaultProxy
beforeAll(async () => {
  world = await instancesWorld()
  await world.sql(`CREATE ROLE ${ROLE} LOGIN PASSWORD 'metrics'`)
  await world.sql(`GRANT USAGE ON SCHEMA sluice TO ${ROLE}`)
  await world.sql(`GRANT pg_read_all_stats TO ${ROLE}`)
  await world.sql(`GRANT SELECT ON ALL TABLES IN SCHEMA sluice TO ${ROLE}`)
  metrics = createMetrics({
    postgres: Object.assign(new URL(world.database.url), { username: ROLE, password: 'metrics' }).href,
    schema: world.schema,
    instance: 'one',
    documents: new Map([['item', world.definition]]),
    // A test asks again and again, and would rather wait than hear nothing.
    freshMs: 0,
    patienceMs: 20_000,
  })
  proxy = await startFaultProxy(world.server.url)
  gate = await startGate(proxy.url)
  world.start('one', {
    observer: metrics.observer,
    elasticsearch: gate.url,
    // A mark of a walk has 500 keys: a batch takes one.
    limits: { batchSize: 500, requestTimeout: 60_000 },
  })
})
afterAll(async () => {
  await metrics?.close()
  await world?.sql(`DROP OWNED BY ${ROLE}`)
  await world?.sql(`DROP ROLE ${ROLE}`)
  await gate?.open()
  await world?.drop()
  await gate?.close()
  await proxy?.close()
})

/** Of a series, or of all that begin so; null where there is none. */
const value = async (series: string): Promise<number | null> => {
  const lines = (await metrics.render()).split('\n').filter((line) => line.startsWith(series))
  return lines.length === 0 ? null : lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
const becomes = async (series: string, expected: number | null) => {
  let last: number | null = null
  await eventually(
    async () => {
      last = await value(series)
      return last === expected
    },
    { describe: () => `${series} is ${last}, not ${expected}` },
  )
}
/** For what is counted in the moment in which something else can be seen already. */
const grows = (series: string, above = 0) =>
  eventually(async () => ((await value(series)) ?? 0) > above, { describe: () => value(series) })

test('a change that is synced, refused, or waits moves them', async () => {
  await becomes('sluice_daemon_state{state="running"}', 1)
  await becomes('sluice_workers_alive', 1)
  await becomes('sluice_last_run_failed{document="item",kind="backfill"}', 0)
  await world.sql(`INSERT INTO item SELECT n, 'name ' || n FROM generate_series(1, 7) n`)
  await becomes('sluice_items_total{document="item",operation="index",outcome="done"}', 7)
  expect(await value('sluice_lag_seconds_count{document="item"}')).toBe(7)
  expect(
    await value('sluice_batches_total{document="item",lane="interactive",outcome="settled"}'),
  ).toBeGreaterThan(0)
  expect(await value('sluice_bulk_request_duration_seconds_count{outcome="answered"}')).toBeGreaterThan(0)
  expect(await value('sluice_bulk_request_bytes_sum')).toBeGreaterThan(7 * 50)
  expect(await value('sluice_versions_drawn_total')).toBeGreaterThan(0)
  expect(await value('sluice_postgres_connections_limit')).toBe(8)

  // A keyword takes 32,766 bytes.
  await world.sql(`INSERT INTO item VALUES (100, repeat('x', 40000))`)
  await becomes('sluice_items_total{document="item",operation="index",outcome="dead"}', 1)
  // What type it is depends on the server.
  await becomes('sluice_bulk_item_errors_total{outcome="dead",type="', 1)
  expect(await value('sluice_bulk_item_errors_total{outcome="dead",type="other"}')).toBeNull()
  await becomes('sluice_failed_documents{document="item",state="dead"', 1)
  await world.sql('DELETE FROM item WHERE id = 100')
  await becomes('sluice_failed_documents{document="item",state="dead"', null)

  await world.sql(`SELECT sluice.pause('item')`)
  await becomes('sluice_document_state{document="item",state="paused"}', 1)
  await becomes('sluice_pauses{document="item",scope="document",type="waiting"}', 1)
  await world.sql(`UPDATE item SET name = name || '!' WHERE id <= 3`)
  await becomes('sluice_pending_keys{document="item",lane="interactive"}', 3)
  expect(
    await value('sluice_oldest_pending_age_seconds{document="item",lane="interactive"}'),
  ).toBeGreaterThan(0)
  await world.sql(`SELECT sluice.resume('item')`)
  await becomes('sluice_pending_keys{document="item",lane="interactive"}', 0)
  await becomes('sluice_pauses{document="item",scope="document",type="waiting"}', null)
})

test('a batch that is under way, and the run that it is of', async () => {
  await world.settled()
  gate.shut()
  try {
    await requestRun(world.database.pool, world.schema, { kind: 'backfill', document: 'item' })
    await becomes('sluice_batches_in_flight{lane="bulk"}', 1)
    await becomes('sluice_run_total_keys{document="item",kind="backfill"}', 7)
    await becomes('sluice_run_progress_ratio{document="item",kind="backfill"}', 0)
    await becomes('sluice_run_processed_keys{document="item",kind="backfill"}', 0)
  } finally {
    await gate.open()
  }
  await becomes('sluice_run_total_keys{document="item",kind="backfill"}', null)
  await becomes('sluice_batches_in_flight{lane="bulk"}', 0)
})

test('what a verify has found, and a transaction that is left open', async () => {
  await world.settled()
  await world.server.request('DELETE', `/${world.index}/_doc/1?refresh=true`)
  await requestRun(world.database.pool, world.schema, { kind: 'verify', document: 'item' })
  await becomes('sluice_verify_differences{document="item",kind="missing"}', 1)
  expect(await value('sluice_verify_differences{document="item",kind="extra"}')).toBe(0)

  const client = await world.database.pool.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
    // Those of the daemon are younger, or over.
    const { rows } = await client.query<{ age: number }>(
      'SELECT extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age FROM pg_stat_activity WHERE pid = pg_backend_pid()',
    )
    const age = rows[0]?.age ?? Number.NaN
    expect(age).toBeGreaterThan(0)
    expect(await value('sluice_oldest_snapshot_age_seconds')).toBeGreaterThanOrEqual(age)
  } finally {
    client.release(true)
  }
})

test('an index that takes no writes: what is given back, and what waits why', async () => {
  const waits = 'sluice_pauses{document="item",scope="document",type="cluster_block_exception"}'
  const back = 'sluice_batches_total{document="item",lane="interactive",outcome="given_back"}'
  const block = (blocked: boolean) =>
    world.server.request('PUT', `/${world.index}/_settings`, { 'index.blocks.write': blocked })
  const before = (await value(back)) ?? 0
  expect(await value(waits)).toBeNull()
  await block(true)
  try {
    await world.sql(`UPDATE item SET name = name || '?' WHERE id <= 3`)
    await becomes(waits, 1)
    await grows(back, before)
    await grows('sluice_obstacles_total{scope="document",type="cluster_block_exception"}')
    await becomes('sluice_pending_keys{document="item",lane="interactive"}', 3)
  } finally {
    await block(false)
  }
  await becomes(waits, null)
  await becomes('sluice_pending_keys{document="item",lane="interactive"}', 0)
  expect(await value('sluice_failed_documents{document="item"')).toBeNull()
})

test('items that Elasticsearch is too busy for are given back, uncharged', async () => {
  const back = 'sluice_given_back_keys_total{document="item"}'
  const before = (await value(back)) ?? 0
  let left = 2
  proxy.break('/_bulk', {
    kind: 'refuse-items',
    refusal: () => {
      left -= 1
      const error = { type: 'es_rejected_execution_exception', reason: 'rejected execution' }
      return left < 0 ? null : { status: 429, error }
    },
  })
  try {
    await world.sql(`UPDATE item SET name = name || '.' WHERE id <= 3`)
    await grows(back, before + 1)
    await grows('sluice_bulk_item_errors_total{outcome="retry",type="', 1)
  } finally {
    proxy.heal()
  }
  await becomes('sluice_pending_keys{document="item",lane="interactive"}', 0)
  expect(await value('sluice_failed_documents{document="item"')).toBeNull()
  await world.settled()
})

test('a dead letter that lasts is an alert, until it is mended', async () => {
  const stands = 'sluice_alerts{name="dead_letters",document="item",severity="warning"}'
  // As the daemon does by itself every ten seconds.
  const look = () =>
    evaluateAlerts({
      pool: world.database.pool,
      schema: world.schema,
      instance: 'one',
      log: pino({ level: 'silent' }),
      alerts: DEFAULT_ALERTS,
    })
  // The daemon may have looked while there was the dead letter of a test before this one.
  await look()
  await becomes(stands, null)
  await world.sql(`INSERT INTO item VALUES (100, repeat('y', 40000))`)
  await becomes('sluice_failed_documents{document="item",state="dead"', 1)
  await look()
  await becomes(stands, 1)
  await world.sql('DELETE FROM item WHERE id = 100')
  await becomes('sluice_failed_documents{document="item",state="dead"', null)
  await look()
  await becomes(stands, null)
})

test('a run that is halfway, and the connections that it takes', async () => {
  await world.sql(`INSERT INTO item SELECT n, 'name ' || n FROM generate_series(1001, 2500) n`)
  await world.settled()
  const of = (what: string) => value(`sluice_run_${what}{document="item",kind="backfill"}`)
  gate.shut()
  try {
    await requestRun(world.database.pool, world.schema, { kind: 'backfill', document: 'item' })
    await eventually(
      async () => {
        // One request after the other: while one is held, all that was answered before it is settled, or of its own batch.
        if (gate.held === 0) return false
        if (((await of('processed_keys')) ?? 0) > 0) return true
        gate.step()
        return false
      },
      { timeoutMs: 60_000, describe: async () => ({ held: gate.held, metrics: await metrics.render() }) },
    )
    await grows('sluice_run_total_keys{document="item",kind="backfill"}')
    const [processed, total, ratio] = [
      await of('processed_keys'),
      await of('total_keys'),
      await of('progress_ratio'),
    ]
    expect(total).toBe(1507)
    expect(processed).toBeGreaterThanOrEqual(1)
    expect(processed).toBeLessThan(1507)
    expect(ratio).toBeCloseTo((processed ?? 0) / 1507, 9)
    expect(await value('sluice_batches_in_flight{lane="bulk"}')).toBe(1)
    // A claim is a transaction that stays open.
    expect(await value('sluice_postgres_connections{state="active"}')).toBeGreaterThanOrEqual(1)
  } finally {
    await gate.open()
  }
  await becomes('sluice_run_total_keys{document="item",kind="backfill"}', null)
  await becomes('sluice_batches_in_flight{lane="bulk"}', 0)
  await world.settled()
})

test('while the database is away, what the daemon counts itself is told all the same', async () => {
  const done = 'sluice_items_total{document="item",operation="index",outcome="done"}'
  const before = await value(done)
  await becomes('sluice_database_up', 1)
  await world.sql(`ALTER ROLE ${ROLE} NOLOGIN`)
  await world.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [ROLE])
  await becomes('sluice_database_up', 0)
  expect(await value('sluice_workers_alive')).toBeNull()
  expect(await value('sluice_pending_keys{document="item",lane="interactive"}')).toBeNull()
  expect(await value(done)).toBe(before)
  await world.sql(`ALTER ROLE ${ROLE} LOGIN`)
  await becomes('sluice_database_up', 1)
  await becomes('sluice_workers_alive', 1)
})
