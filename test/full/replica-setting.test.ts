import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkCapture } from '../../src/sync/watch-capture.ts'
import { type InstallWorld, installWorld } from '../integration/install-world.ts'
import { eventually } from '../support/eventually.ts'
import { type PostgresServer, startPostgres } from '../support/servers/index.ts'

/** `session_replication_role = replica` for a whole server, which only a server of one's own can have. */

let server: PostgresServer
let world: InstallWorld

beforeAll(async () => {
  server = await startPostgres()
  world = await installWorld('sluice', server.url)
  await world.database.pool.query('CREATE TABLE item (id int PRIMARY KEY, name text)')
  await world.install({ item: { table: 'item', index: `${world.server.prefix}item` } }, { backfill: false })
})
afterAll(async () => {
  await world?.drop()
  await server?.stop()
})

/** A session of its own: those that are open may have their own setting. */
const marksOf = async (sql: string) => {
  await world.database.pool.query(`DELETE FROM sluice.sync_queue; ${sql}`)
  return world.value('SELECT count(*)::int FROM sluice.sync_queue')
}
const setting = async (change: string, expected: string) => {
  await world.database.pool.query(`ALTER SYSTEM ${change}`)
  await world.database.pool.query('SELECT pg_reload_conf()')
  await eventually(async () =>
    expect(await world.value("SELECT current_setting('session_replication_role')")).toBe(expected),
  )
}
const look = () =>
  checkCapture({ pool: world.database.pool, schema: 'sluice', log: pino({ level: 'silent' }) })
const stand = async () => {
  const { rows } = await world.database.pool.query(
    `SELECT d.alarm, r.kind, r.options ->> 'repair' AS repair
       FROM sluice.sync_document d LEFT JOIN sluice.sync_run r ON r.document = d.name`,
  )
  return rows
}

test('changes go by, an alarm says why and what takes it back, and a verify follows when it is taken back', async () => {
  expect(await marksOf("INSERT INTO item VALUES (1, 'seen')")).toBe(1)
  await setting('SET session_replication_role = replica', 'replica')
  expect(await marksOf("INSERT INTO item VALUES (2, 'unseen')")).toBe(0)
  await look()
  const alarm =
    'goes by without a mark: what sessions change for which session_replication_role is replica, as it is for the server (ALTER SYSTEM RESET session_replication_role; SELECT pg_reload_conf(), and end those sessions)'
  expect(await stand()).toEqual([{ alarm, kind: null, repair: null }])

  await setting('RESET session_replication_role', 'origin')
  await look()
  expect(await stand()).toEqual([{ alarm: null, kind: 'verify', repair: 'rewrite' }])
  expect(await marksOf("INSERT INTO item VALUES (3, 'seen again')")).toBe(1)
})
