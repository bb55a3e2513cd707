import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPool } from '../../src/postgres/connect.ts'
import { eventually, type TestDatabase } from '../support/context.ts'
import { type PostgresServer, startPostgres } from '../support/servers/index.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import type { Started } from './cli-support.ts'
import { type OutagesWorld, outagesWorld } from './outages-world.ts'

/** Postgres restarted, crashed, away and without room on its disk, under a daemon with work to do. */

const disk = mountSmallDisk(64)
let postgres: PostgresServer
let world: OutagesWorld
let daemon: Started | undefined

beforeAll(async () => {
  // What vacuum frees would be room, at a moment nobody knows.
  postgres = await startPostgres({ settings: { autovacuum: 'off' } })
})
afterAll(async () => {
  await postgres?.stop()
  await disk?.unmount()
})
afterEach(async () => {
  daemon?.process.kill('SIGTERM')
  expect((await daemon?.ended)?.code ?? 0).toBe(0)
  daemon = undefined
})

/** A database of this file's server, for `outagesWorld`. */
async function database(name: string): Promise<TestDatabase> {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  const url = Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href
  const pool = createPool(url, { max: 5, applicationName: 'test' })
  return { url, pool, drop: () => pool.end() }
}

const many = (name: string) =>
  `INSERT INTO item SELECT n, '${name}' FROM generate_series(1, 3000) n ON CONFLICT (id) DO UPDATE SET name = excluded.name`

describe('under a daemon in the middle of its work, Postgres', () => {
  beforeAll(async () => {
    world = await outagesWorld({ database: await database('outages'), env: { BATCH_SIZE: '20' } })
  })
  afterAll(() => world?.drop())
  beforeEach(async () => {
    await world.database.pool.query('TRUNCATE sluice.sync_worker')
  })

  /** A daemon that has begun to work off three thousand keys, twenty at a time. */
  const busy = async (name: string) => {
    const running = await world.run()
    daemon = running
    await world.database.pool.query(many(name))
    await world.arrives('item', 1, name)
    return running
  }

  test('is restarted: the daemon goes on', async () => {
    const { process, output } = await busy('restarted')
    await postgres.restart()
    await world.recovers()
    expect(process.exitCode).toBeNull()
    await eventually(async () =>
      expect(await world.worker()).toMatchObject({ alive: true, state: 'running' }),
    )
    expect(output()).toMatch(/"server":"postgres","reason":"[^"]+","msg":"waiting"/)
  })

  test('crashes: the daemon goes on', async () => {
    const { process } = await busy('crashed')
    await postgres.crash()
    await world.recovers()
    expect(process.exitCode).toBeNull()
  })

  test('stays away: status cannot tell, and says so with exit code 4; the daemon says what it waits for, and goes on', async () => {
    const { output } = await busy('away')
    await postgres.kill('SIGKILL')
    const asked = await world.place.sluice(['status'])
    expect(asked.code).toBe(4)
    expect(asked.stderr).toContain('Postgres does not answer')
    const json = await world.place.json(['status'])
    expect(json).toMatchObject({ code: 4, value: { error: { code: 'unreachable' } } })
    await eventually(() =>
      expect(output()).toMatch(/"server":"postgres".*Postgres does not answer.*"waiting"/),
    )
    await postgres.start()
    await world.recovers()
  })

  test('has a table that is locked for longer than a load waits: its document waits uncharged, the other goes on', async () => {
    const { pool } = world.database
    daemon = await world.run({ REQUEST_TIMEOUT: '4000' })
    await world.write('item', 1, 'before')
    await world.arrives('item', 1, 'before')
    const migration = await pool.connect()
    try {
      await migration.query('BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE')
      await pool.query(`SELECT sluice.enqueue('item', '1')`)
      const pause = await eventually(async () => (await world.worker()).pauses[0] ?? null, {
        describe: world.status,
      })
      expect(pause).toMatchObject({ document: 'item', type: 'sqlstate_55P03' })
      await world.write('other', 1, 'goes on')
      await world.arrives('other', 1, 'goes on')
      await migration.query(`UPDATE item SET name = 'during' WHERE id = 1; COMMIT`)
    } finally {
      migration.release()
    }
    await world.arrives('item', 1, 'during')
    await world.recovers()
  })

  test('cuts off what the daemon’s role asks for, by time-outs of the role: the daemon lives, and goes on without them', async () => {
    const { pool, url } = world.database
    await pool.query(`
      CREATE ROLE impatient LOGIN SUPERUSER PASSWORD 'sluice';
      ALTER ROLE impatient SET statement_timeout = 2;
      ALTER ROLE impatient SET lock_timeout = 1`)
    const running = world.place.start(['run'], {
      DATABASE_URL: Object.assign(new URL(url), { username: 'impatient' }).href,
    })
    daemon = running
    await pool.query(many('impatient'))
    await eventually(() => expect(running.output()).toContain('statement timeout'), {
      describe: () => running.output(),
    })
    await pool.query(`
      ALTER ROLE impatient RESET ALL;
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'impatient'`)
    await world.recovers()
    expect(running.process.exitCode).toBeNull()
  })
})

describe.skipIf(disk === null)('on a disk that is full (root alone can mount one), Postgres', () => {
  beforeAll(async () => {
    world = await outagesWorld({ database: await database('small') })
    await world.database.pool.query(`CREATE TABLESPACE small LOCATION '${disk?.directory}'`)
  })
  afterAll(() => world?.drop())

  /** An empty table's next row needs a page, on a disk that another table has filled; returns how to make room again. */
  const fillUnder = async (table: string) => {
    const { pool } = world.database
    await pool.query(`TRUNCATE ${table}`)
    await pool.query(`ALTER TABLE ${table} SET TABLESPACE small`)
    await pool.query('CREATE TABLE filler (text text) TABLESPACE small')
    const rows = (count: number) =>
      pool
        .query(`INSERT INTO filler SELECT repeat('x', 2000) FROM generate_series(1, ${count})`)
        .catch((error: unknown) => error)
    // A large statement leaves the room behind that it could not use whole.
    for (const count of [100_000, 100, 4, 4, 4, 4]) expect(await rows(count)).toMatchObject({ code: '53100' })
    return async () => {
      await pool.query('DROP TABLE filler')
    }
  }
  const lives = (output: string) => output.split('joined the database').length - 1

  test('refuses what a batch has to write: the daemon waits, says why, does not hammer, and goes on once there is room', async () => {
    const { pool } = world.database
    // One worker: a second one may take the mark in the moment in which the first has failed, and has no log to write.
    const running = await world.run({ CONCURRENCY: '1' })
    daemon = running
    await world.write('item', 1, 'before')
    await world.arrives('item', 1, 'before')
    // From then on the next batch writes the log, and has nowhere to put it: it comes once a second.
    const last = `SELECT FROM sluice.sync_log HAVING max(at) < clock_timestamp() - interval '1.5 seconds'`
    await eventually(async () => (await pool.query(last)).rowCount === 1)
    const makeRoom = await fillUnder('sluice.sync_rollup')
    try {
      await world.write('item', 1, 'during')
      await eventually(
        async () =>
          expect(await world.worker()).toMatchObject({
            alive: true,
            state: 'waiting',
            reason: expect.stringContaining('No space left on device'),
          }),
        { describe: () => running.output() },
      )
      const { since } = await world.worker()
      const before = lives(running.output())
      await eventually(() => lives(running.output()) > before + 3, { timeoutMs: 30_000 })
      const begun = performance.now()
      await eventually(() => lives(running.output()) > before + 5, { timeoutMs: 30_000 })
      expect(performance.now() - begun).toBeGreaterThan(2_000)
      // However often it has tried: the same outage.
      const waiting = await eventually(async () => {
        const worker = await world.worker()
        return worker.state === 'waiting' ? worker : null
      })
      expect(Math.abs(Date.parse(waiting.since) - Date.parse(since))).toBeLessThan(3_000)
      const { documents } = await world.status()
      expect(documents[0]).toMatchObject({ name: 'item', pendingKeys: 1, retrying: 0, dead: 0 })
    } finally {
      await makeRoom()
    }
    await world.recovers()
    await eventually(async () =>
      expect(await world.worker()).toMatchObject({ state: 'running', reason: null }),
    )
  })

  test('refuses the marks of a backfill: the run goes on once there is room, and has not failed', async () => {
    const { pool } = world.database
    await pool.query(
      `SET session_replication_role = replica; ${many('unmarked')}; RESET session_replication_role`,
    )
    const requested = await world.place.sluice(['backfill', 'item', '--no-wait'])
    expect(requested.code, requested.stderr).toBe(0)
    const makeRoom = await fillUnder('sluice.sync_queue')
    try {
      const running = await world.run()
      daemon = running
      await eventually(() => expect(running.output()).toMatch(/No space left on device.*"run waits"/), {
        describe: () => running.output(),
      })
      const { rows } = await pool.query('SELECT state FROM sluice.sync_run ORDER BY id DESC LIMIT 1')
      expect(rows).toEqual([{ state: 'running' }])
    } finally {
      await makeRoom()
    }
    await eventually(
      async () => {
        const { rows } = await pool.query('SELECT state FROM sluice.sync_run ORDER BY id DESC LIMIT 1')
        expect(rows).toEqual([{ state: 'done' }])
      },
      { timeoutMs: 60_000 },
    )
    await world.recovers()
  })
})
