import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { migrate } from '../../src/postgres/migrate.ts'
import { eventually } from '../support/context.ts'
import type { PostgresServer } from '../support/servers/index.ts'
import { createDaemonWorld, type DaemonWorld } from './daemon-world.ts'
import { SCHEMA, thing } from './sync-world.ts'

/** Daemons that start, work side by side, and stop. */

let world: DaemonWorld
let postgres: PostgresServer

beforeAll(async () => {
  world = await createDaemonWorld()
  postgres = world.postgres
})
afterAll(() => world?.drop())
beforeEach(() => world.clear())
afterEach(() => world.endDaemons())

const startDaemon: DaemonWorld['startDaemon'] = (overrides) => world.startDaemon(overrides)
const arrives: DaemonWorld['arrives'] = (id, name) => world.arrives(id, name)

describe('a daemon', () => {
  test('brings changes to the index and tells that it lives', async () => {
    const { settings } = startDaemon()
    await world.change(1, 'one')
    await arrives(1, 'one')
    const { rows } = await world.database.pool.query(`SELECT instance, state FROM "${SCHEMA}".sync_worker`)
    expect(rows).toEqual([{ instance: settings.instance, state: 'running' }])
  })

  test('writes down what it did, in the log and the statistics', async () => {
    startDaemon()
    await world.change(2, 'two')
    await arrives(2, 'two')
    await eventually(async () => {
      const { rows } = await world.database.pool.query(
        `SELECT synced_last_hour::integer AS synced FROM "${SCHEMA}".sync_stats WHERE document = 'thing'`,
      )
      expect(rows[0]?.synced).toBeGreaterThan(0)
    })
  })

  test('that is stopped finishes what it has begun, leaves no claim, and says goodbye', async () => {
    const { end, daemon } = startDaemon({ limits: { batchSize: 50 } })
    await world.database.pool.query('INSERT INTO thing SELECT n, $1 FROM generate_series(1, 5000) n', [
      'many',
    ])
    await world.database.pool.query(
      `INSERT INTO "${SCHEMA}".sync_queue (document, lane, keys, op) SELECT 'thing', 1, ARRAY[n::text], 'insert' FROM generate_series(1, 5000) n`,
    )
    await arrives(1, 'many')
    await end()
    expect(daemon.state.state).toBe('stopped')
    const { rows } = await world.database.pool.query<{ claims: number; state: string }>(
      `SELECT (SELECT count(*)::integer FROM pg_stat_activity WHERE state = 'idle in transaction') AS claims,
              (SELECT state FROM "${SCHEMA}".sync_worker) AS state`,
    )
    expect(rows).toEqual([{ claims: 0, state: 'stopped' }])
    // Each row is in the index or still marked.
    const settled = 5000 - (await world.pendingKeys())
    await world.search.request('POST', `/${world.index}/_refresh`)
    const { count } = (await world.search.request('GET', `/${world.index}/_count?q=name:many`)) as {
      count: number
    }
    expect(count).toBe(settled)
  })

  test('leaves a document alone whose definition is not the installed one', async () => {
    const other = new Map([['thing', { ...thing(world.plan.index), where: 'id > 0' }]])
    const { daemon } = startDaemon({ documents: other })
    await world.change(3, 'three')
    await eventually(async () => {
      const { rows } = await world.database.pool.query(`SELECT pauses FROM "${SCHEMA}".sync_worker`)
      expect(rows[0]?.pauses[0]?.reason).toMatch(/differs from the installed one/)
    })
    expect(daemon.plans.size).toBe(0)
    expect(await world.pendingKeys()).toBe(1)
    startDaemon()
    await arrives(3, 'three')
  })

  test('leaves a paused document alone until it is resumed', async () => {
    const { pool } = world.database
    const { daemon } = startDaemon()
    await eventually(() => expect(daemon.plans.size).toBe(1))
    await pool.query(`SELECT "${SCHEMA}".pause('thing')`)
    // From the pause's commit on, whether this daemon has seen it or not.
    await world.change(20_004, 'four')
    await eventually(() => expect(daemon.plans.size).toBe(0))
    expect(await world.indexed(20_004)).toBeNull()
    await pool.query(`SELECT "${SCHEMA}".resume('thing')`)
    await arrives(20_004, 'four')
  })
})

describe('several daemons', () => {
  test('share the work without any setup', async () => {
    startDaemon({ limits: { batchSize: 20 } })
    startDaemon({ limits: { batchSize: 20 } })
    await world.database.pool.query('INSERT INTO thing SELECT n, $1 FROM generate_series(1, 2000) n', [
      'shared',
    ])
    await world.database.pool.query(
      `INSERT INTO "${SCHEMA}".sync_queue (document, lane, keys, op) SELECT 'thing', 1, ARRAY[n::text], 'insert' FROM generate_series(1, 2000) n`,
    )
    await eventually(async () => expect(await world.pendingKeys()).toBe(0), { timeoutMs: 30_000 })
    await world.search.request('POST', `/${world.index}/_refresh`)
    const { count } = (await world.search.request('GET', `/${world.index}/_count?q=name:shared`)) as {
      count: number
    }
    expect(count).toBe(2000)
  })
})

describe('start order does not matter', () => {
  test('a daemon waits for the schema', async () => {
    const schema = 'comes later'
    const { daemon } = startDaemon({ schema })
    await eventually(() =>
      expect(daemon.state).toMatchObject({
        state: 'waiting',
        reason: expect.stringMatching(/sluice migrate|sluice install/),
      }),
    )
    await migrate(postgres.url, schema)
    await eventually(() => expect(daemon.state.state).toBe('running'))
  })

  test('a daemon waits for Postgres', async () => {
    await postgres.kill('SIGKILL')
    const { daemon } = startDaemon()
    await eventually(() => expect(daemon.state.state).toBe('waiting'))
    await postgres.start()
    await eventually(() => expect(daemon.state.state).toBe('running'), { timeoutMs: 30_000 })
  })

  test('a schema newer than the program is refused', async () => {
    const { pool } = world.database
    await pool.query(
      `INSERT INTO "${SCHEMA}".sync_migration (name, run_on) VALUES ('9999_from_the_future', now())`,
    )
    const { daemon } = startDaemon()
    await expect(daemon.finished).rejects.toThrow(/newer|9999/)
    await pool.query(`DELETE FROM "${SCHEMA}".sync_migration WHERE name LIKE '9999%'`)
  })
})
