import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { requestBackfill } from '../../src/runs/request-backfill.ts'
import { eventually } from '../support/context.ts'
import { type Started, type Workspace, workspace } from './cli-support.ts'
import { type Gate, type InstancesWorld, instancesWorld, startGate } from './instances-world.ts'

/** Several daemons on one database, without any setup between them. */

let world: InstancesWorld
beforeAll(async () => {
  world = await instancesWorld()
})
afterAll(() => world.drop())
beforeEach(async () => {
  const collector = world.start('collector')
  await world.sql('DELETE FROM item')
  await world.settled()
  await world.stop(collector)
  await world.sql('TRUNCATE sluice.sync_failed, sluice.sync_worker')
})

test('eight daemons with uneven batches: every change arrives, a refused document is recorded once, nothing is left', async () => {
  const batchSizes = [1, 3, 10, 50, 100, 500, 1000, 5000]
  const instances = batchSizes.map((batchSize, n) =>
    world.start(`daemon-${n}`, {
      limits: { batchSize, concurrency: 1 + (n % 2), batchBytes: 1024 * 4 ** (n % 4) },
    }),
  )
  const writer = async (of: number) => {
    const ids = Array.from({ length: 60 }, (_, n) => of * 1000 + n)
    for (const id of ids) await world.sql('INSERT INTO item VALUES ($1, $2)', [id, `first ${id}`])
    await world.sql(
      'INSERT INTO item SELECT n, $1 FROM generate_series($2::int, $3::int) n ON CONFLICT (id) DO UPDATE SET name = excluded.name',
      [`mass ${of}`, of * 1000 + 30, of * 1000 + 700],
    )
    for (const id of ids.slice(0, 30)) {
      await world.sql('UPDATE item SET name = $2 WHERE id = $1', [id, `second ${id}`])
      if (id % 3 === 0) await world.sql('DELETE FROM item WHERE id = $1', [id])
      if (id % 6 === 0) await world.sql('INSERT INTO item VALUES ($1, $2)', [id, `again ${id}`])
    }
    await world.sql('UPDATE item SET id = id + 50000 WHERE id BETWEEN $1 AND $2', [
      of * 1000 + 600,
      of * 1000 + 620,
    ])
  }
  // A keyword takes 32,766 bytes.
  await world.sql(`INSERT INTO item VALUES (1, repeat('x', 40000))`)
  await Promise.all([1, 2, 3, 4].map(writer))
  for (let n = 0; n < 10; n++)
    await world.sql(`UPDATE item SET name = repeat($1, 40000) WHERE id = 1`, [String(n)])

  await world.settled(
    `SELECT id::text, json_build_object('id', id, 'name', name) AS document FROM item WHERE id <> 1 ORDER BY id`,
  )
  const failed = await world.database.pool.query(
    'SELECT key, state, attempts >= 1 AS charged FROM sluice.sync_failed',
  )
  expect(failed.rows).toEqual([{ key: '1', state: 'dead', charged: true }])
  await Promise.all(instances.map(world.stop))
  const claims = await world.database.pool.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`,
  )
  expect(claims.rows).toEqual([])
  const workers = await world.database.pool.query('SELECT DISTINCT state FROM sluice.sync_worker')
  expect(workers.rows).toEqual([{ state: 'stopped' }])
  // They shared the work, however it came to be shared.
  const shared = await world.database.pool.query(
    'SELECT count(DISTINCT worker)::int AS n FROM sluice.sync_rollup',
  )
  expect(shared.rows[0].n).toBeGreaterThan(2)
}, 90_000)

test('a run’s marks do not wait for the next poll of the daemon that writes them', async () => {
  const filler = world.start('filler')
  await world.sql(`INSERT INTO item SELECT n, 'item' FROM generate_series(1, 12000) n`)
  await world.settled()
  await world.stop(filler)
  // The first poll finds nothing, the second would come in a minute: later than `settled` waits.
  const daemon = world.start('seldom', { limits: { pollingInterval: 60_000 } })
  await eventually(() => daemon.daemon.state.state === 'running')
  await requestBackfill(world.database.pool, 'sluice', { document: 'item', options: {}, requestedBy: 'test' })
  await world.settled()
  await world.stop(daemon)
}, 90_000)

describe('a daemon that is stopped with SIGSTOP in the middle of a batch', () => {
  let place: Workspace
  let gate: Gate
  let stuck: Started
  beforeEach(async () => {
    gate = await startGate(world.server.url)
    place = await workspace({
      DATABASE_URL: world.database.url,
      ELASTICSEARCH_URL: gate.url,
      SLUICE_INSTANCE: 'stuck',
      // Its claims are cut off after three of these.
      REQUEST_TIMEOUT: '1000',
      ADMIN_PORT: 'off',
      LOG_LEVEL: 'warn',
    })
    await place.write('sluice.config.json', JSON.stringify({ documents: { item: world.definition } }))
    stuck = place.start(['run'])
  })
  afterEach(async () => {
    stuck.process.kill('SIGCONT')
    await place.remove()
    await gate.close()
  })

  const indexed = async (id: number) => {
    const answer = (await world.server.request('GET', `/${world.index}/_doc/${id}`)) as {
      _source?: { name: string }
      _version?: number
    }
    return answer
  }
  const arrives = (id: number, name: string) =>
    eventually(async () => expect((await indexed(id))._source?.name).toBe(name))
  /** Keys that no claim holds. */
  const marks = async () => {
    const { rows } = await world.database.pool.query(
      `SELECT key FROM (SELECT keys FROM sluice.sync_queue FOR UPDATE SKIP LOCKED) q, unnest(q.keys) AS key`,
    )
    return rows.map(({ key }) => key)
  }

  test('loses its claim to another, and its late request loses against the newer document', async () => {
    await world.sql(`INSERT INTO item VALUES (7, 'first')`)
    await arrives(7, 'first')
    gate.shut()
    await world.sql(`UPDATE item SET name = 'old' WHERE id = 7`)
    await eventually(() => gate.held === 1, { describe: 'its request on the way' })
    stuck.process.kill('SIGSTOP')
    expect(await marks()).toEqual([])
    // Postgres cuts the claim off by itself.
    await eventually(async () => expect(await marks()).toEqual(['7']), { describe: 'the mark free again' })

    await world.sql(`UPDATE item SET name = 'new' WHERE id = 7`)
    const other = world.start('other')
    await arrives(7, 'new')
    const before = await indexed(7)
    const [answer] = await gate.open()
    expect(answer).toContain('version_conflict')
    expect(await indexed(7)).toEqual(before)

    // It finds out, and goes on.
    stuck.process.kill('SIGCONT')
    await world.stop(other)
    await world.sql(`UPDATE item SET name = 'newest' WHERE id = 7`)
    await arrives(7, 'newest')
    await world.settled()
    const failed = await world.database.pool.query('SELECT FROM sluice.sync_failed')
    expect(failed.rows).toEqual([])
    stuck.process.kill('SIGTERM')
    expect((await stuck.ended).code).toBe(0)
  })
})

test('in a rolling deploy, only daemons of the installed configuration work; nothing is lost in between', async () => {
  const old = world.start('old')
  await world.sql(`INSERT INTO item SELECT n, 'v1 ' || n, 'note ' || n FROM generate_series(1, 50) n`)
  await world.settled()

  const changed = { ...world.definition, fields: ['id', 'name', 'note'] }
  // Started before the install: it waits.
  const fresh = world.start('fresh', { definition: changed })
  const pauses = async (instance: string) => {
    const { rows } = await world.database.pool.query(
      'SELECT pauses FROM sluice.sync_worker WHERE instance = $1',
      [instance],
    )
    return JSON.stringify(rows[0]?.pauses ?? null)
  }
  await eventually(async () => expect(await pauses('fresh')).toContain('differs from the installed one'))
  await world.sql(`UPDATE item SET name = 'v2 ' || id WHERE id <= 10`)
  await world.settled()

  // Writes go on while the definition changes.
  let writing = true
  const writer = (async () => {
    for (let n = 0; writing; n++)
      await world.sql('UPDATE item SET note = $1 WHERE id = $2', [`during ${n}`, 1 + (n % 50)])
  })()
  await world.install({ item: changed })
  await eventually(() => fresh.daemon.plans.size === 1 && old.daemon.plans.size === 0)
  await eventually(async () => expect(await pauses('old')).toContain('differs from the installed one'))
  writing = false
  await writer
  await world.settled(
    `SELECT id::text, json_build_object('id', id, 'name', name, 'note', note) AS document FROM item ORDER BY id`,
  )
  await world.stop(old)
  await world.stop(fresh)
  await world.install({ item: world.definition })
}, 90_000)
