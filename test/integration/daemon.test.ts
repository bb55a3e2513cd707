import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import type { Settings } from '../../src/config/types.ts'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { Daemon } from '../../src/sync/daemon.ts'
import { eventually, type TestDatabase } from '../support/context.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type PostgresServer, startPostgres } from '../support/servers/index.ts'
import { createSyncWorld, SCHEMA, type SyncWorld, thing } from './sync-world.ts'

/** Daemons on a Postgres of their own, for it is crashed now and then. */

let postgres: PostgresServer
let world: SyncWorld
let running: { readonly daemon: Daemon; end(): Promise<void> }[] = []

beforeAll(async () => {
  postgres = await startPostgres()
  const pool = createPool(postgres.url, { max: 5, applicationName: 'test' })
  const database: TestDatabase = { url: postgres.url, pool, drop: () => pool.end() }
  world = await createSyncWorld(database)
})
afterAll(async () => {
  await world?.drop()
  await postgres?.stop()
})
beforeEach(() =>
  world.database.pool.query(
    `TRUNCATE thing, "${SCHEMA}".sync_queue, "${SCHEMA}".sync_failed, "${SCHEMA}".sync_worker`,
  ),
)
afterEach(async () => {
  await Promise.all(running.map(({ end }) => end()))
  running = []
})

interface Overrides {
  readonly limits?: Partial<Settings['limits']>
  readonly documents?: Settings['documents']
  readonly elasticsearch?: string
  readonly schema?: string
  readonly postgres?: string
}

function startDaemon({ limits, elasticsearch = world.search.url, ...overrides }: Overrides = {}) {
  const settings: Settings = {
    postgres: postgres.url,
    elasticsearch: { url: elasticsearch },
    schema: SCHEMA,
    instance: `test-${randomUUID()}`,
    logLevel: 'silent',
    documents: new Map([['thing', thing(world.plan.index)]]),
    file: 'sluice.config.ts',
    ...overrides,
    limits: { ...world.context.limits, ...limits },
  }
  const pool = createPool(settings.postgres, { max: 8, applicationName: settings.instance })
  const client = connectElasticsearch(settings.elasticsearch, {
    requestTimeoutMs: settings.limits.requestTimeout,
  })
  const daemon = new Daemon({ settings, pool, elasticsearch: client, log: pino({ level: 'silent' }) })
  daemon.start()
  let ended: Promise<void> | undefined
  const end = () => {
    ended ??= daemon.stop().then(async () => {
      await pool.end()
      await client.close()
    })
    return ended
  }
  running.push({ daemon, end })
  return { daemon, settings, end }
}

const arrives = (id: number, name: string | null) =>
  eventually(async () => expect(await world.indexed(id)).toBe(name), { describe: `${name} in the index` })

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

describe('when a server goes away', () => {
  test('Postgres crashes: the daemon goes on by itself, and nothing is lost', async () => {
    const { daemon } = startDaemon({ limits: { batchSize: 10 } })
    await world.database.pool.query('INSERT INTO thing SELECT n, $1 FROM generate_series(1, 1000) n', [
      'survivor',
    ])
    await world.database.pool.query(
      `INSERT INTO "${SCHEMA}".sync_queue (document, lane, keys, op) SELECT 'thing', 1, ARRAY[n::text], 'insert' FROM generate_series(1, 1000) n`,
    )
    await arrives(1, 'survivor')
    await postgres.crash()
    await eventually(async () => expect(await world.pendingKeys()).toBe(0), {
      timeoutMs: 30_000,
      describe: () => daemon.state,
    })
    await world.search.request('POST', `/${world.index}/_refresh`)
    const { count } = (await world.search.request('GET', `/${world.index}/_count?q=name:survivor`)) as {
      count: number
    }
    expect(count).toBe(1000)
  })

  test('Elasticsearch goes away: nobody is charged, and the daemon goes on when it is back', async () => {
    const proxy = await startFaultProxy(inject('elasticsearchUrl'))
    try {
      const { daemon } = startDaemon({ elasticsearch: proxy.url })
      await world.change(5, 'before')
      await arrives(5, 'before')
      proxy.break('/', { kind: 'reset-before' })
      await world.change(5, 'during')
      await eventually(() => expect(daemon.state.state).toBe('waiting'))
      expect(await world.pendingKeys()).toBe(1)
      proxy.heal()
      await arrives(5, 'during')
      const { rows } = await world.database.pool.query(`SELECT FROM "${SCHEMA}".sync_failed`)
      expect(rows).toEqual([])
      await eventually(() => expect(daemon.state.state).toBe('running'))
    } finally {
      await proxy.close()
    }
  })
})

describe('a document that cannot be read', () => {
  test('is paused with its reason, charges nobody, and goes on when it can be read again', async () => {
    const { pool } = world.database
    const { daemon } = startDaemon()
    await world.change(6, 'six')
    await arrives(6, 'six')
    await pool.query(`ALTER VIEW "${SCHEMA}".document_thing RENAME TO hidden`)
    await world.change(6, 'sechs')
    await eventually(async () => {
      const { rows } = await pool.query(`SELECT pauses FROM "${SCHEMA}".sync_worker WHERE state = 'running'`)
      expect(rows[0]?.pauses[0]?.type).toBe('sqlstate_42P01')
    })
    expect(daemon.state.state).toBe('running')
    const alarm = async () => (await pool.query(`SELECT alarm FROM "${SCHEMA}".sync_document`)).rows[0]?.alarm
    await eventually(async () =>
      expect(await alarm()).toMatch(/adapt the configuration, then run sluice install/),
    )
    await pool.query(`ALTER VIEW "${SCHEMA}".hidden RENAME TO document_thing`)
    await arrives(6, 'sechs')
    await eventually(async () => expect(await alarm()).toBeNull())
    const { rows } = await pool.query(`SELECT FROM "${SCHEMA}".sync_failed`)
    expect(rows).toEqual([])
  })
})

test('a role that may write and not look at indices does not stop anything (403)', async () => {
  const proxy = await startFaultProxy(inject('elasticsearchUrl'))
  try {
    const error = { type: 'security_exception', reason: 'action [indices:monitor/stats] is unauthorized' }
    const body = JSON.stringify({ error, status: 403 })
    const stats = `/${world.plan.index}-2*-*/_stats`
    proxy.break(stats, { kind: 'answer', status: 403, contentType: 'application/json', body })
    const { daemon } = startDaemon({ elasticsearch: proxy.url })
    await world.change(7, 'written all the same')
    await arrives(7, 'written all the same')
    expect(proxy.seen).toContain(`GET ${stats}/docs`)
    // Nobody has asked whether Elasticsearch is back: it was never away.
    expect(proxy.seen).not.toContain('GET /_cluster/health')
    expect(daemon.state.state).toBe('running')
  } finally {
    await proxy.close()
  }
})

test('an index that was recreated by hand pauses its document and asks for a verify', async () => {
  const { pool } = world.database
  await pool.query(`UPDATE "${SCHEMA}".sync_index SET uuid = 'another'`)
  startDaemon()
  await eventually(async () => {
    const { rows } = await pool.query(
      `SELECT d.state, d.reason, r.kind, r.state AS run FROM "${SCHEMA}".sync_document d JOIN "${SCHEMA}".sync_run r ON r.document = d.name`,
    )
    expect(rows).toEqual([
      {
        state: 'paused',
        reason: expect.stringMatching(/recreated by hand/),
        kind: 'verify',
        run: 'requested',
      },
    ])
  })
  await pool.query(`SELECT "${SCHEMA}".resume('thing')`)
})
