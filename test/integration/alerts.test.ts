import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { DEFAULT_ALERTS } from '../../src/config/alerts.ts'
import { noteGaps } from '../../src/queue/note-gap.ts'
import { readAlerts } from '../../src/queue/read-alerts.ts'
import { alertNames, readConditions } from '../../src/queue/read-conditions.ts'
import { AlertPoster } from '../../src/sync/alert-poster.ts'
import { evaluateAlerts } from '../../src/sync/watch-alerts.ts'
import { eventually } from '../support/context.ts'
import { type InstancesWorld, instancesWorld } from './instances-world.ts'

/** Conditions of a real database, and a real HTTP server that is told of them. */

let world: InstancesWorld
beforeAll(async () => {
  world = await instancesWorld()
})
afterAll(() => world?.drop())
afterEach(() => world.sql('TRUNCATE sluice.sync_alert'))

const silent = pino({ level: 'silent' })
const rows = async (text: string) => (await world.database.pool.query(text)).rows
const context = (webhook: string | null = null) => ({
  pool: world.database.pool,
  schema: world.schema,
  instance: 'test',
  log: silent,
  alerts: { ...DEFAULT_ALERTS, webhook },
})

test('every condition is found, and is gone when it is over', async () => {
  const { pool } = world.database
  const found = () => readConditions(pool, world.schema, { backlogAfterMs: 600_000, drift: 2 })
  await world.sql(`INSERT INTO sluice.sync_document (name, state, hash, definition, plan, alarm, reason, changed_at)
    VALUES ('a', 'active', 'h', '{}', '{}', 'goes by without a mark: triggers are off', NULL, now() - interval '2 minutes'),
           ('b', 'paused', 'h', '{}', '{}', 'cannot be read: no column', 'paused by me', now()),
           ('c', 'detached', 'h', '{}', '{}', 'verify run 9 (asked for) failed: x', NULL, now()),
           ('d', 'active', 'h', '{}', '{}', 'the mass-delete brake holds back', NULL, now())`)
  await world.sql(`INSERT INTO sluice.sync_brake (document, window_started_at, deletes, tripped_at, parked)
    VALUES ('d', now(), 5, now(), 7)`)
  await world.sql(`INSERT INTO sluice.sync_failed (document, key, id, version, state, attempts, type, reason, origin)
    SELECT 'a', n::text, n::text, 1, 'dead', 1, 't', 'r', pg_current_xact_id() FROM generate_series(1, 3) n`)
  await world.sql(`INSERT INTO sluice.sync_run (kind, document, state, error, result, finished_at)
    VALUES ('backfill', 'd', 'failed', E'no disk\\nat all', NULL, now()),
           ('verify', 'd', 'done', NULL, '{"comparison": {"missing": 9, "stale": 9, "extra": 9, "left": {"missing": 1, "stale": 0, "extra": 2}}}', now()),
           ('verify', 'd', 'done', NULL, '{"comparison": {"missing": 0, "stale": 0, "extra": 0, "sample": 10}}', now()),
           ('verify', 'a', 'done', NULL, '{"comparison": {"missing": 2, "stale": 0, "extra": 0}}', now())`)
  await world.sql(`INSERT INTO sluice.sync_queue (document, lane, keys, op, created_at)
    VALUES ('a', 1, '{1}', 'insert', now() - interval '11 minutes'), ('d', 0, '{1}', 'insert', now() - interval '6 minutes'),
           ('b', 0, '{1}', 'insert', now() - interval '11 minutes')`)
  await world.sql(`INSERT INTO sluice.sync_worker (instance, host, pid, version, state, documents, pauses) VALUES
    ('w', 'h', 1, '1', 'running', '{"d": "h"}', jsonb_build_array(
      jsonb_build_object('document', 'd', 'index', 'd-1', 'type', 'index_closed_exception', 'reason', 'closed', 'since', now() - interval '2 minutes'),
      jsonb_build_object('document', 'd', 'index', 'd-2', 'type', 'index_closed_exception', 'reason', 'shut', 'since', now()),
      jsonb_build_object('document', 'a', 'index', NULL, 'type', 'http_429', 'reason', 'busy', 'since', now()),
      jsonb_build_object('document', 'b', 'index', NULL, 'type', 'waiting', 'reason', 'another definition', 'since', now() - interval '1 hour')))`)

  const conditions = (await found()).filter(({ document }) => document !== 'item')
  expect(conditions.map(({ name, document, severity, due }) => [name, document, severity, due])).toEqual([
    ['backlog_old', 'a', 'warning', true],
    ['backlog_old', 'd', 'warning', false],
    ['brake_tripped', 'd', 'critical', true],
    ['capture_gap', 'a', 'critical', true],
    ['dead_letters', 'a', 'warning', true],
    ['document_alarm', 'b', 'critical', true],
    ['document_detached', 'c', 'critical', true],
    ['document_paused', 'b', 'warning', true],
    ['drift', 'd', 'warning', true],
    ['no_worker', 'a', 'critical', true],
    ['run_failed', 'd', 'warning', true],
    ['sending_paused', 'a', 'warning', false],
    ['sending_paused', 'd', 'warning', true],
  ])
  expect([...new Set(conditions.map(({ name }) => name))]).toEqual([...alertNames])
  const reasons = Object.fromEntries(conditions.map(({ name, reason }) => [name, reason]))
  expect(reasons).toMatchObject({
    dead_letters: '3 documents cannot be indexed: sluice failed list a',
    drift: expect.stringMatching(/^the last verify \(run \d+\) left 1 missing, 0 stale, 2 extra$/),
    run_failed: expect.stringMatching(/^the last backfill failed \(run \d+\): no disk$/),
    sending_paused: 'd-1: closed; d-2: shut',
  })
  // That nobody works on it nobody has raised, and it is shown all the same.
  expect((await readAlerts(pool, world.schema)).filter(({ document }) => document === 'a')).toMatchObject([
    { name: 'no_worker', document: 'a', severity: 'critical' },
  ])

  await world.sql(`DELETE FROM sluice.sync_document WHERE name <> 'item'`)
  await world.sql('TRUNCATE sluice.sync_queue, sluice.sync_failed, sluice.sync_worker')
  expect((await found()).filter(({ document }) => document !== 'item')).toEqual([])
})

test('of eight that look at the same time one raises, and one clears', async () => {
  const look = async () => {
    const decisions = await Promise.all(Array.from({ length: 8 }, () => evaluateAlerts(context())))
    const named = (alerts: readonly { readonly name: string }[]) =>
      alerts.filter(({ name }) => name === 'document_paused').length
    return [
      decisions.reduce((sum, { raise }) => sum + named(raise), 0),
      decisions.reduce((sum, { clear }) => sum + named(clear), 0),
    ]
  }
  await world.sql(`SELECT sluice.pause('item', 'for a test')`)
  expect(await look()).toEqual([1, 0])
  expect(await look()).toEqual([0, 0])
  expect(await readAlerts(world.database.pool, world.schema)).toEqual([
    {
      name: 'document_paused',
      document: 'item',
      severity: 'warning',
      since: expect.stringMatching(/^20\d\d-.*Z$/),
      reason: 'for a test',
    },
  ])
  await world.sql(`SELECT sluice.resume('item')`)
  expect(await look()).toEqual([0, 1])
  expect(await look()).toEqual([0, 0])
  expect(await readAlerts(world.database.pool, world.schema)).toEqual([])
  // Without a webhook there is nobody to tell, later either.
  expect(await rows('SELECT notify FROM sluice.sync_alert')).toEqual([{ notify: false }])
})

interface Hook {
  readonly url: string
  /** `state name`, of what it took. */
  readonly taken: string[]
  readonly server: Server
}

/** @param refuse answers so many requests with 503 first */
async function hook(port = 0, refuse = 0): Promise<Hook> {
  const taken: string[] = []
  let left = refuse
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (piece) => {
      text += piece
    })
    request.on('end', () => {
      left -= 1
      if (left >= 0) return response.writeHead(503).end()
      const { state, name } = JSON.parse(text) as { state: string; name: string }
      taken.push(`${state} ${name}`)
      return response.writeHead(200).end('ok')
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`, taken, server }
}

function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections()
  return closed
}

test('two daemons post each once, to a webhook that has a bad moment', async () => {
  const { url, taken, server } = await hook(0, 1)
  const both = () =>
    ['one', 'two'].map((name) => world.start(name, { alerts: { ...DEFAULT_ALERTS, webhook: url } }))
  const noted = (column: string) =>
    eventually(
      async () => {
        const [row] = await rows(`SELECT ${column} IS NOT NULL AS noted FROM sluice.sync_alert`)
        return row?.noted === true
      },
      { describe: () => rows('SELECT * FROM sluice.sync_alert') },
    )
  try {
    await world.sql(`SELECT sluice.pause('item')`)
    const before = both()
    await noted('raise_posted_at')
    await Promise.all(before.map(world.stop))
    await world.sql(`SELECT sluice.resume('item')`)
    const after = both()
    await noted('clear_posted_at')
    await Promise.all(after.map(world.stop))
    expect(taken).toEqual(['raised document_paused', 'cleared document_paused'])
    expect(await rows('SELECT count(*)::int AS n FROM sluice.sync_alert')).toEqual([{ n: 1 }])
  } finally {
    await close(server)
  }
})

test('a webhook hears of a time in which there was no daemon, once, from whichever starts first', async () => {
  const { url, taken, server } = await hook()
  const lastSeen = async (ago: string, hash = 'hash') => {
    await world.sql('TRUNCATE sluice.sync_worker')
    await world.sql(`INSERT INTO sluice.sync_worker (instance, host, pid, version, state, documents, seen_at)
      SELECT 'gone', 'h', 1, '1', 'running', jsonb_build_object(name, ${hash}), now() - interval '${ago}' FROM sluice.sync_document`)
  }
  const noteAll = async () => {
    const hashes = await rows('SELECT name, hash FROM sluice.sync_document')
    const documents = Object.fromEntries(hashes.map(({ name, hash }) => [name, hash]))
    return noteGaps(world.database.pool, world.schema, documents, false)
  }
  try {
    await world.sql(`UPDATE sluice.sync_document SET changed_at = now() - interval '1 hour'`)
    await lastSeen('40 seconds')
    expect(await noteAll()).toEqual([])
    await lastSeen('10 minutes')
    expect(await noteGaps(world.database.pool, world.schema, { item: 'another' }, false)).toEqual([])
    const both = ['one', 'two'].map((name) =>
      world.start(name, { alerts: { ...DEFAULT_ALERTS, webhook: url } }),
    )
    await eventually(
      async () =>
        (await rows('SELECT FROM sluice.sync_alert WHERE clear_posted_at IS NOT NULL')).length === 1,
      { describe: () => rows('SELECT * FROM sluice.sync_alert') },
    )
    await Promise.all(both.map(world.stop))
    expect(taken).toEqual(['raised no_worker', 'cleared no_worker'])
    expect(
      await rows(
        `SELECT document, severity, reason, now() - since > '9 minutes' AS long FROM sluice.sync_alert`,
      ),
    ).toEqual([
      {
        document: 'item',
        severity: 'critical',
        reason: expect.stringMatching(/^no daemon worked on it from .* UTC to .* UTC$/),
        long: true,
      },
    ])
    // The same gap is told already; another definition's daemons did not work on it, either.
    await world.sql(`UPDATE sluice.sync_worker SET seen_at = now() - interval '2 hours'`)
    expect(await noteAll()).toEqual([])
    await world.sql('TRUNCATE sluice.sync_alert')
    await lastSeen('1 second', `'another'`)
    expect(await noteAll()).toHaveLength(1)
    await world.sql('TRUNCATE sluice.sync_worker, sluice.sync_alert')
    expect(await noteAll()).toEqual([])
  } finally {
    await close(server)
  }
})

test('what a webhook that is down did not take is kept, said once in the log, and posted in order when it is up', async () => {
  const lines: string[] = []
  const log = pino({ base: null }, { write: (line) => lines.push(line) })
  const { url, server } = await hook()
  await close(server)
  const poster = new AlertPoster({ ...context(url), log, webhook: url })
  await world.sql(`INSERT INTO sluice.sync_alert (name, document, severity, reason, since, cleared_at, notify)
    VALUES ('drift', 'item', 'warning', 'r', now(), now(), true)`)
  const failed = async (times: number) => {
    await world.sql('UPDATE sluice.sync_alert SET post_after = now()')
    poster.poke()
    await eventually(
      async () => (await rows('SELECT post_attempts AS n FROM sluice.sync_alert'))[0]?.n === times,
      { describe: () => rows('SELECT * FROM sluice.sync_alert') },
    )
    await poster.stop()
  }
  await failed(1)
  await failed(2)
  expect(lines.filter((line) => line.includes('does not take them'))).toHaveLength(1)
  expect(lines.join('')).not.toContain('/x')

  const up = await hook(Number(new URL(url).port))
  try {
    await world.sql('UPDATE sluice.sync_alert SET post_after = now()')
    poster.poke()
    await eventually(() => up.taken.length === 2, { describe: () => ({ taken: up.taken, lines }) })
    await poster.stop()
    expect(up.taken).toEqual(['raised drift', 'cleared drift'])
    expect(lines.filter((line) => line.includes('answers again'))).toHaveLength(1)
    poster.poke()
    await poster.stop()
    expect(up.taken).toHaveLength(2)
  } finally {
    await close(up.server)
  }
})
