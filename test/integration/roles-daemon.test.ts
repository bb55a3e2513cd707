import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdmin } from '../../src/admin/server.ts'
import { DEFAULT_ALERTS } from '../../src/config/alerts.ts'
import { questions, readDatabase } from '../../src/metrics/read-database.ts'
import { notePosted, takeDuePost } from '../../src/queue/post-alerts.ts'
import { readAlerts } from '../../src/queue/read-alerts.ts'
import { evaluateAlerts } from '../../src/sync/watch-alerts.ts'
import { ask, change, TOKEN } from './admin-world.ts'
import { type CitiesWorld, citiesWorld, type Login, refusal } from './roles-world.ts'

/** What a daemon can do under its role, beside an application that has no right on sluice. */

let world: CitiesWorld
let definitions: CitiesWorld['definitions']
let daemon: CitiesWorld['daemon']
const as = (login: Login, sql: string) => world.as(login, sql)

beforeAll(async () => {
  world = await citiesWorld()
  ;({ definitions, daemon } = world)
})
afterAll(() => world?.drop())

describe('HTTP, under the role of the daemon', () => {
  test('shows every page, and does all that the token asks for', async () => {
    const admin = await startAdmin({
      settings: { host: '127.0.0.1', port: 0, token: TOKEN, hosts: [], trustedProxies: [] },
      postgres: world.url('daemon'),
      schema: world.schema,
      instance: 'the daemon',
      configured: { documents: new Map(Object.entries(definitions)), schedules: new Map() },
      elasticsearch: world.elasticsearch,
      state: () => daemon.daemon.state,
      log: pino({ level: 'silent' }),
    })
    const { url = '' } = admin ?? {}
    const pages = ['status', 'documents', 'indices', 'workers', 'failures', 'runs', 'log']
    for (const page of pages) expect(await ask(url, `/api/${page}`)).toMatchObject({ status: 200 })
    const health = await ask(url, '/health')
    expect(health.body).toMatchObject({ components: { postgres: { status: 'healthy', value: 'up' } } })
    await world.settled()
    const run = await change(url, '/api/documents/city/verify')
    expect(run).toMatchObject({ status: 202, body: { estimate: { total: 20 } } })
    const { id } = (run.body as { run: { id: string } }).run
    // Cancelled, or over already.
    expect([200, 409]).toContain((await change(url, `/api/runs/${id}/cancel`)).status)
    for (const [path, body] of [
      ['documents/city/pause', {}],
      ['documents/city/resume', { deletes: true }],
      ['failures/retry', { all: true }],
      ['failures/discard', { document: 'city' }],
    ] as const) {
      expect(await change(url, `/api/${path}`, body)).toMatchObject({ status: 200 })
    }
    await admin?.close()
    await expect(as('daemon', 'DELETE FROM sluice.sync_audit')).rejects.toMatchObject({ code: refusal })
    await expect(as('daemon', "UPDATE sluice.sync_audit SET who = 'x'")).rejects.toMatchObject({
      code: refusal,
    })
    expect((await as('operator', 'SELECT FROM sluice.sync_audit')).rowCount).toBe(6)
    await world.settled()
    // The tests below look at all runs there were.
    await as('owner', "DELETE FROM sluice.sync_run WHERE state = 'cancelled'")
  })
})

describe('the daemon, under its role', () => {
  test('indexes what is there, and what an application without any right on sluice writes', async () => {
    await as('writer', "UPDATE app.city SET name = 'Bern' WHERE id = 1; INSERT INTO app.sale VALUES (1, 1)")
    await as('writer', "UPDATE app.country SET name = 'Schweiz'")
    await world.settled()
    const cities = await world.found('city')
    expect(cities).toHaveLength(20)
    expect(cities).toContainEqual({
      kind: 'small',
      id: 1,
      name: 'Bern',
      slug: 'bern',
      country: { code: 'ch', name: 'Schweiz' },
    })
    expect(await world.found('sold')).toEqual([{ name: 'Bern' }])
  })

  test('tells a row that stopped matching, takes DELETE and TRUNCATE, and carries out each kind of run', async () => {
    await as('writer', 'UPDATE app.city SET active = false WHERE id = 2; DELETE FROM app.city WHERE id = 3')
    await as('writer', 'TRUNCATE app.sale')
    await world.settled()
    expect(await world.found('city')).toHaveLength(18)
    expect(await world.found('sold')).toEqual([])
    for (const [kind, options] of [
      ['backfill', { where: 'id < 10' }],
      ['verify', { deep: true }],
      ['reindex', {}],
      ['optimize', {}],
    ] as const) {
      await as(
        'operator',
        `INSERT INTO sluice.sync_run (kind, document, options) VALUES ('${kind}', 'city', '${JSON.stringify(options)}')`,
      )
      await world.settled()
    }
    const { rows } = await as(
      'operator',
      'SELECT kind, document, state, error FROM sluice.sync_run ORDER BY id',
    )
    expect(rows.filter(({ state }) => state !== 'done')).toEqual([])
    expect(rows.length).toBeGreaterThan(5)
  })

  test('writes its log, makes its partitions and cleans up', async () => {
    await as(
      'daemon',
      "SELECT sluice.create_log_partition('2020-01-01'); SELECT sluice.cleanup_old_sync_records(7)",
    )
    const { rows } = await as('owner', 'SELECT count(*)::int AS lines FROM sluice.sync_log')
    expect(rows[0]?.lines).toBeGreaterThan(0)
    expect(
      (await as('owner', "SELECT to_regclass('sluice.sync_log_20200101') AS gone")).rows[0]?.gone,
    ).toBeNull()
  })

  test('raises, posts and clears alerts, which a reader sees, and reads all that is told of the database', async () => {
    const { daemon: pool, reader } = world.logins
    const alerts = { ...DEFAULT_ALERTS, webhook: 'http://127.0.0.1:1/' }
    const context = { pool, schema: world.schema, instance: 'test', log: pino({ level: 'silent' }), alerts }
    const { rows } = await as('operator', "SELECT sluice.pause('sold', 'for a while')")
    expect(rows).toHaveLength(1)
    // The daemon looks, too: whoever was first.
    await evaluateAlerts(context)
    expect(await readAlerts(reader, world.schema)).toMatchObject([
      { name: 'document_paused', document: 'sold' },
    ])
    await as('owner', 'UPDATE sluice.sync_alert SET notify = true')
    const due = await takeDuePost(pool, world.schema)
    expect(due).toMatchObject({ name: 'document_paused', state: 'raised' })
    if (due !== null) await notePosted(pool, world.schema, due)
    expect(Object.keys(await readDatabase(pool, world.schema)).toSorted()).toEqual([...questions].toSorted())
    await as('operator', "SELECT sluice.resume('sold')")
    await evaluateAlerts(context)
    expect(await readAlerts(reader, world.schema)).toEqual([])
  })

  test.each([
    "UPDATE sluice.sync_document SET plan = '{}'",
    "UPDATE sluice.sync_document SET definition = '{}'",
    'DELETE FROM sluice.sync_document',
    'DELETE FROM sluice.sync_source',
    'TRUNCATE sluice.sync_queue',
    'DROP TABLE sluice.sync_log',
    'CREATE TABLE sluice.mine (id int)',
    "SELECT sluice.detach('city')",
    "INSERT INTO app.city VALUES ('small', 99)",
    'DELETE FROM app.sale',
    'SELECT * FROM app.country',
  ])('and may not %s', (sql) => expect(as('daemon', sql)).rejects.toMatchObject({ code: refusal }))
})

describe('an application that means harm', () => {
  /** As good a match as Postgres's own, or a better one; each would leave a trace. */
  const TRAPS = `
    CREATE SCHEMA evil; CREATE TABLE evil.sprung (by text, how text);
    CREATE FUNCTION evil.trap(text) RETURNS void LANGUAGE sql AS $$ INSERT INTO evil.sprung VALUES (current_user, $1) $$;
    CREATE FUNCTION evil.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap('unnest'); END $$;
    CREATE FUNCTION evil.cardinality(text[]) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap('cardinality'); RETURN 1; END $$;
    CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap('clock'); RETURN now(); END $$;
    CREATE FUNCTION evil.pg_current_xact_id() RETURNS xid8 LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap('xact'); RETURN '3'; END $$;
    CREATE FUNCTION evil.same(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap('='); RETURN true; END $$;
    CREATE FUNCTION evil.less(xid8, xid8) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap('<'); RETURN false; END $$;
    CREATE OPERATOR evil.= (leftarg = text, rightarg = text, procedure = evil.same);
    CREATE OPERATOR evil.< (leftarg = xid8, rightarg = xid8, procedure = evil.less);
    GRANT USAGE ON SCHEMA evil TO PUBLIC; GRANT INSERT ON evil.sprung TO PUBLIC;
    CREATE TEMP TABLE sync_queue (id int); CREATE TEMP TABLE sync_document (name text); CREATE TEMP TABLE sync_run (id int);
    CREATE TEMP TABLE country (code text, name text); CREATE TEMP TABLE new_rows (id int);
    SET search_path = pg_temp, evil, pg_catalog`

  test('diverts no function of ours by what it puts before Postgres on its search_path', async () => {
    await world.database.pool.query(
      `GRANT CREATE ON DATABASE ${new URL(world.database.url).pathname.slice(1)} TO ${world.name('writer')};
       GRANT USAGE ON SCHEMA ${world.schema} TO ${world.name('writer')};
       GRANT EXECUTE ON FUNCTION ${world.schema}.sync_token, ${world.schema}.is_synced, ${world.schema}.sync_pending TO ${world.name('writer')}`,
    )
    const client = await world.logins.writer.connect()
    try {
      await client.query(TRAPS)
      // It works, where it is meant to.
      await client.query("SELECT 'a'::text = 'b'::text")
      expect((await client.query('SELECT count(*)::int AS n FROM evil.sprung')).rows).toEqual([{ n: 1 }])
      await client.query('TRUNCATE evil.sprung')
      await client.query(`
        UPDATE app.city SET name = 'Basel' WHERE id = 5; UPDATE app.country SET name = 'Svizzera';
        DELETE FROM app.city WHERE id = 6; INSERT INTO app.sale VALUES (7, 5); TRUNCATE app.sale; INSERT INTO app.sale VALUES (8, 5)`)
      const { rows } = await client.query(`SELECT ${world.schema}.sync_token() AS token`)
      await client.query(`SELECT ${world.schema}.is_synced($1), ${world.schema}.sync_pending($1)`, [
        rows[0]?.token,
      ])
      await world.settled()
      expect((await client.query('SELECT * FROM evil.sprung')).rows).toEqual([])
    } finally {
      client.release(true)
    }
    const cities = await world.found('city')
    expect(cities.find(({ id }) => id === 5)).toMatchObject({ name: 'Basel', country: { name: 'Svizzera' } })
    expect(cities.find(({ id }) => id === 6)).toBeUndefined()
    expect(await world.found('sold')).toEqual([{ name: 'Basel' }])
  })
})
