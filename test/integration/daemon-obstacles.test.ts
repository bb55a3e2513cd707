import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { eventually } from '../support/context.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import type { PostgresServer } from '../support/servers/index.ts'
import { createDaemonWorld, type DaemonWorld } from './daemon-world.ts'
import { SCHEMA } from './sync-world.ts'

/** Daemons that something is in the way of: a server that is away, a document or an index that is not what it was. */

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
