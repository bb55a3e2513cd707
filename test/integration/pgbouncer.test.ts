import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrate } from '../../src/postgres/migrate.ts'
import { eventually } from '../support/context.ts'
import { findPgBouncer, startPgBouncer } from '../support/servers/pgbouncer.ts'
import type { Server } from '../support/servers/server.ts'
import { type Workspace, workspace } from './cli-support.ts'
import { type InstancesWorld, instancesWorld } from './instances-world.ts'

const missing = findPgBouncer() === null

// By name, so that a run without it is not taken for a run with it.
if (missing) test.skip('pgbouncer is not installed (Debian package "pgbouncer")')

/** Server connections of the pool: three batches in flight hold one each, and need one more between them. */
const POOL_SIZE = 4

describe.skipIf(missing)('through PgBouncer in transaction mode, with a pool of four', () => {
  let world: InstancesWorld
  let pooler: Server
  let place: Workspace
  beforeAll(async () => {
    world = await instancesWorld()
    pooler = await startPgBouncer({ postgres: world.database.url, poolSize: POOL_SIZE })
    place = await workspace({
      DATABASE_URL: pooler.url,
      ELASTICSEARCH_URL: world.server.url,
      ADMIN_PORT: 'off',
      LOG_LEVEL: 'silent',
    })
    const second = { table: 'item', index: `${world.server.prefix}second`, fields: ['id'] }
    await place.write('sluice.config.json', JSON.stringify({ documents: { item: world.definition, second } }))
  })
  afterAll(async () => {
    await place?.remove()
    await pooler?.stop()
    await world?.drop()
  })

  test('migrations are refused, with what to do, before they leave a lock behind', async () => {
    await expect(migrate(pooler.url, 'other')).rejects.toThrow(
      /^DATABASE_URL: it leads through a connection pooler/,
    )
    const { code, stderr } = await place.sluice(['migrate'])
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('sluice migrate --database-url'),
    })
    const locks = await world.database.pool.query(`SELECT FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
    expect(locks.rows).toEqual([])
  })

  test('install, check, status, backfill and failed work', async () => {
    for (const args of [['install'], ['status'], ['failed', 'retry', '--all'], ['cleanup']]) {
      expect(await place.sluice(args)).toMatchObject({ code: 0 })
    }
    await place.write('m.sql', 'ALTER TABLE item DROP COLUMN name')
    const checked = await place.sluice(['check', '--migration', 'm.sql'])
    expect(checked).toMatchObject({ code: 3, stdout: expect.stringContaining('Postgres refuses it') })
    await world.uninstall('second')
  })

  test('a daemon brings changes of all sizes, and leaves nothing of a session behind', async () => {
    const instance = world.start('pooled', {
      postgres: pooler.url,
      limits: { concurrency: 2, batchSize: 100 },
    })
    // The application goes through the same pool, whose connections it shares with the daemon.
    const application = new pg.Pool({ connectionString: pooler.url, max: 5 })
    try {
      await application.query(`INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 3000) n`)
      await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          application.query('UPDATE item SET name = $2 WHERE id = $1', [n + 1, `changed ${n}`]),
        ),
      )
      await application.query('DELETE FROM item WHERE id % 10 = 0')
      await world.settled()
      expect(instance.daemon.state.state).toBe('running')

      const direct = await sessionSettings(world.database.pool)
      for (let n = 0; n < 20; n++) expect(await sessionSettings(application)).toEqual(direct)
    } finally {
      await application.end()
    }
    await world.stop(instance)
  })

  test('a pool that is smaller than the batches in flight: they are given back, said, and fewer at a time bring everything', async () => {
    const small = await startPgBouncer({ postgres: world.database.url, poolSize: 2 })
    const told: string[] = []
    const instance = world.start('crowded', {
      postgres: small.url,
      limits: { concurrency: 4, batchSize: 200, requestTimeout: 1_000 },
      observer: {
        begins: () => {},
        bulk: () => {},
        batch: (_, result) => {
          if (result.outcome === 'given-back') told.push(result.obstacle.type)
        },
      },
    })
    await world.sql(`UPDATE item SET name = 'crowded ' || id`)
    await world.settled()
    expect(told).toContain('pool_exhausted')
    await world.stop(instance)
    await small.stop()
  })

  test('a claim that Postgres cuts off is back, and the daemon goes on', async () => {
    const instance = world.start('pooled', {
      postgres: pooler.url,
      limits: { concurrency: 2, batchSize: 10 },
    })
    await world.sql(`UPDATE item SET name = 'cut ' || id`)
    await eventually(async () => {
      const { rows } = await world.database.pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND state = 'idle in transaction'`,
      )
      return rows.length > 0
    })
    await world.settled()
    await world.stop(instance)
  })
})

/** What a transaction of ours must not leave on a pooled connection; statements with names are among it. */
async function sessionSettings(pool: pg.Pool): Promise<unknown> {
  const { rows } = await pool.query(
    `SELECT name, setting FROM pg_settings WHERE name = ANY ($1)
     UNION ALL SELECT 'prepared: ' || name, statement FROM pg_prepared_statements ORDER BY name`,
    [
      [
        'idle_in_transaction_session_timeout',
        'lock_timeout',
        'row_security',
        'search_path',
        'statement_timeout',
        'synchronous_commit',
        'TimeZone',
      ],
    ],
  )
  return rows
}
