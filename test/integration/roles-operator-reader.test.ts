import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installedDocument } from '../../src/answers/installed.ts'
import { probe } from '../../src/cli/probe/probe.ts'
import { rolesOf } from '../../src/postgres/roles.ts'
import { cancelRun } from '../../src/runs/lifecycle.ts'
import { requestBackfill } from '../../src/runs/request-backfill.ts'
import { workspace } from './cli-support.ts'
import { type CitiesWorld, citiesWorld, type Login, refusal } from './roles-world.ts'

/** What people and their tools can do beside the daemon: an operator, a reader, whoever asks for a probe. */

let world: CitiesWorld
const as = (login: Login, sql: string) => world.as(login, sql)

beforeAll(async () => {
  world = await citiesWorld()
})
afterAll(() => world?.drop())

describe('the operator', () => {
  test('pauses, resumes, marks, retries, discards, and asks for a run and cancels it', async () => {
    await as('operator', "SELECT sluice.pause('city', 'a look')")
    expect(
      (await as('operator', "SELECT reason FROM sluice.sync_document WHERE name = 'city'")).rows,
    ).toEqual([{ reason: 'a look' }])
    await as('operator', "SELECT sluice.resume('city')")
    await as('operator', "SELECT sluice.enqueue('city', sluice.encode_key('small', '1'))")
    await as(
      'operator',
      "SELECT sluice.retry_failed('city'), sluice.discard_failed('city'), sluice.retry_failed()",
    )
    await as('operator', "SELECT sluice.shed('city')")
    await world.settled()
    const pool = world.logins.operator
    const asked = { document: 'city', options: { where: 'id = 1' }, requestedBy: 'ann' }
    await as('operator', "SELECT sluice.pause('city')")
    const { id } = await requestBackfill(pool, world.schema, { ...asked, document: 'sold', options: {} })
    expect(await cancelRun(pool, world.schema, id)).toMatchObject({
      state: expect.stringMatching(/^(cancelled|cancelling|done)$/),
    })
    await as('operator', "SELECT sluice.resume('city')")
    await world.settled()
    // Its second request finds the first, and changes nothing of it.
    await as('operator', "SELECT sluice.pause('city')")
    await as('operator', "INSERT INTO sluice.sync_run (kind, document) VALUES ('backfill', 'city')")
    await as('operator', "SELECT sluice.resume('city')")
    await world.settled()
  })

  test.each([
    'DELETE FROM sluice.sync_queue',
    "INSERT INTO sluice.sync_queue (document, lane, op) VALUES ('city', 0, 'enqueue')",
    "UPDATE sluice.sync_run SET state = 'done'",
    'DELETE FROM sluice.sync_failed',
    "UPDATE sluice.sync_index SET role = 'retired'",
    "UPDATE sluice.sync_document SET state = 'detached'",
    "SELECT sluice.detach('city')",
    "SELECT sluice.change_document_state('city', 'detached', '')",
    "SELECT nextval('sluice.sync_version')",
    'SELECT sluice.drop_old_log_partitions(0)',
    'SELECT * FROM sluice.document_city',
    'SELECT * FROM app.city',
    "UPDATE app.city SET name = 'x'",
  ])('may not %s', (sql) => expect(as('operator', sql)).rejects.toMatchObject({ code: refusal }))
})

describe('a probe', () => {
  const probeAs = async (login: Login, touch: boolean) => {
    const database = { pool: world.logins[login], schema: world.schema }
    const servers = { database, elasticsearch: world.elasticsearch }
    const installed = await installedDocument(database, 'city')
    return probe(servers, installed, { id: 'small:1', touch, timeoutMs: 60_000 })
  }

  test('takes an operator and the rows; what is lacking is named as SQL, and is enough', async () => {
    const me = world.name('operator')
    const view = `${world.schema}.document_city`
    const grant = async (remedy: string, grants: readonly string[]) => {
      for (const one of grants) expect(remedy).toContain(one)
      const statements = remedy.split('Let an administrator run: ')[1] ?? ''
      expect(statements.split('; ')).toHaveLength(grants.length)
      await world.database.pool.query(statements)
    }
    const refused = async (login: Login, touch: boolean): Promise<string> => {
      const error = await probeAs(login, touch).catch((one: unknown) => one)
      expect(error).toMatchObject({ code: 'failed', message: expect.stringContaining('permission denied') })
      return String(Object(error).remedy)
    }
    await grant(await refused('operator', false), [
      `GRANT SELECT ON ${view} TO ${me}`,
      `GRANT USAGE ON SCHEMA app TO ${me}`,
      `GRANT SELECT ON app.city TO ${me}`,
    ])
    // The document calls it, and what a view calls is called with the rights of who reads it.
    expect(await refused('operator', false)).toContain('grant what Postgres names')
    await world.database.pool.query(`GRANT EXECUTE ON FUNCTION app.slug TO ${me}`)
    expect(await probeAs('operator', false)).toMatchObject({ arrived: true, by: 'enqueue', why: [] })
    await grant(await refused('operator', true), [`GRANT UPDATE ON app.city TO ${me}`])
    expect(await probeAs('operator', true)).toMatchObject({ arrived: true, why: [] })

    // A daemon's login reads the rows, and may not mark.
    await grant(await refused('daemon', false), [
      `GRANT ${rolesOf(world.schema).operator} TO ${world.name('daemon')}`,
    ])
    expect(await probeAs('daemon', false)).toMatchObject({ arrived: true })
    await world.database.pool.query(`
      REVOKE ${rolesOf(world.schema).operator} FROM ${world.name('daemon')};
      REVOKE ALL ON ${view}, app.city FROM ${me}; REVOKE ALL ON SCHEMA app FROM ${me};
      REVOKE ALL ON FUNCTION app.slug FROM ${me}`)
  })

  test('by a reader is refused, and told of the roles', async () => {
    const place = await workspace({
      DATABASE_URL: world.url('reader'),
      ELASTICSEARCH_URL: world.server.url,
      SLUICE_SCHEMA: world.schema,
    })
    try {
      expect(await place.sluice(['probe', 'city'])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /permission denied for table sync_migration.*\n.*sluice migrate --roles/s,
        ),
      })
    } finally {
      await place.remove()
    }
  })
})

const VIEWS = ['sync_stats', 'sync_hourly', 'sync_lag', 'sync_failures', 'sync_workers', 'sync_runs']

describe('the reader', () => {
  test.each(VIEWS)('reads %s', async (view) => {
    await as('reader', `SELECT * FROM sluice.${view}`)
  })

  test.each([
    'SELECT * FROM sluice.sync_queue',
    'SELECT * FROM sluice.sync_failed',
    'SELECT * FROM sluice.sync_document',
    "SELECT sluice.pause('city')",
    "SELECT sluice.enqueue('city', '1')",
    'SELECT sluice.cancel_run(1)',
    "SELECT sluice.shed('city')",
    "SELECT sluice.retry_failed('city')",
    'SELECT sluice.sync_token()',
    "INSERT INTO sluice.sync_run (kind, document) VALUES ('verify', 'city')",
    'SELECT * FROM sluice.document_city',
    'SELECT * FROM app.city',
  ])('may not %s', (sql) => expect(as('reader', sql)).rejects.toMatchObject({ code: refusal }))
})
