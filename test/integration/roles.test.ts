import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdmin } from '../../src/admin/server.ts'
import { installedDocument } from '../../src/answers/installed.ts'
import { readMissingGrants } from '../../src/cli/doctor/read-grants.ts'
import { probe } from '../../src/cli/probe/probe.ts'
import { DEFAULT_ALERTS } from '../../src/config/alerts.ts'
import { questions, readDatabase } from '../../src/metrics/read-database.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { applyRoles, rolesOf, rolesSql } from '../../src/postgres/roles.ts'
import { notePosted, takeDuePost } from '../../src/queue/post-alerts.ts'
import { readAlerts } from '../../src/queue/read-alerts.ts'
import type { Instance } from '../../src/runs/instance.ts'
import { cancelRun } from '../../src/runs/lifecycle.ts'
import { requestBackfill } from '../../src/runs/request-backfill.ts'
import { evaluateAlerts } from '../../src/sync/watch-alerts.ts'
import { eventually } from '../support/context.ts'
import { ask, change, TOKEN } from './admin-world.ts'
import { workspace } from './cli-support.ts'
import type { Definitions } from './install-world.ts'
import { type Login, type RolesWorld, rolesWorld } from './roles-world.ts'

const TABLES = `
  CREATE TYPE app.kind AS ENUM ('small', 'large');
  CREATE TABLE app.country (code text PRIMARY KEY, name text);
  CREATE TABLE app.city (kind app.kind, id int, name text, secret text, country_code text REFERENCES app.country,
                         active bool NOT NULL DEFAULT true, PRIMARY KEY (kind, id));
  CREATE INDEX ON app.city (country_code);
  CREATE TABLE app.sale (id int PRIMARY KEY, city int);
  CREATE FUNCTION app.slug(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower($1) $$;
  REVOKE EXECUTE ON FUNCTION app.slug FROM PUBLIC;
  INSERT INTO app.country VALUES ('ch', 'Switzerland');
  INSERT INTO app.city SELECT 'small', n, 'city ' || n, 'secret', 'ch' FROM generate_series(1, 20) n`

let world: RolesWorld
let definitions: Definitions
let daemon: Instance
const as = (login: Login, sql: string) => world.as(login, sql)

beforeAll(async () => {
  world = await rolesWorld(TABLES)
  const prefix = world.server.prefix
  definitions = {
    city: {
      table: 'app.city',
      index: `${prefix}city`,
      fields: { kind: 'kind', id: 'id', name: 'name', slug: { sql: 'app.slug(name)' } },
      where: 'active',
      relations: { country: { one: 'app.country' } },
    },
    sold: {
      table: 'app.sale',
      id: ['id'],
      index: `${prefix}sold`,
      sql: 'SELECT s.id, c.name FROM app.sale s JOIN app.city c ON c.id = s.city WHERE s.id = ANY ($1)',
      dependsOn: { 'app.sale': 'id' },
    },
  }
  await world.install(definitions)
  daemon = world.start(definitions)
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

/** Insufficient privilege. */
const refusal = '42501'

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

describe('roles', () => {
  test('are made and granted again without a change, by several at once, and what was granted besides is taken back', async () => {
    const state = async () => {
      const { rows } = await as(
        'owner',
        `SELECT g.name, a.item FROM (
           SELECT relname::text AS name, relacl AS acl FROM pg_class WHERE relnamespace = '${world.schema}'::regnamespace
           UNION ALL
           SELECT p.oid::regprocedure::text, p.proacl FROM pg_proc p WHERE pronamespace = '${world.schema}'::regnamespace) g
          CROSS JOIN LATERAL unnest(g.acl) AS i (item) CROSS JOIN LATERAL (SELECT i.item::text) AS a (item)
          WHERE a.item LIKE '${world.schema}\\_%' ORDER BY 1, 2`,
      )
      expect(rows.length).toBeGreaterThan(50)
      return rows
    }
    const before = await state()
    const { operator } = rolesOf(world.schema)
    await as('owner', `GRANT ALL ON sluice.sync_queue TO ${operator}`)
    expect(await state()).not.toEqual(before)
    expect(await Promise.all([1, 2, 3].map(() => applyRoles(world.url('owner'), world.schema)))).toEqual([
      [],
      [],
      [],
    ])
    expect(await state()).toEqual(before)
  })

  test('what the daemon’s role lacks of our tables is a finding of doctor, and each of its grants is looked at', async () => {
    const { schema } = world
    const client = await world.database.pool.connect()
    try {
      expect(await readMissingGrants(client, schema)).toEqual([])
      await client.query('BEGIN')
      const { rows } = await client.query<{ grant: string }>(
        `SELECT format('%s on %I.%I', a.privilege_type, c.relnamespace::regnamespace, c.relname) AS grant
           FROM pg_class c, aclexplode(c.relacl) a
          WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND a.grantee = $2::regrole`,
        [schema, rolesOf(schema).daemon],
      )
      const granted = rows.map(({ grant }) => grant)
      expect(granted).toContain(`DELETE on ${schema}.sync_queue`)
      await client.query(`REVOKE ALL ON ALL TABLES IN SCHEMA ${schema} FROM ${rolesOf(schema).daemon};
        REVOKE USAGE, UPDATE ON SEQUENCE ${schema}.sync_version FROM ${rolesOf(schema).daemon}`)
      const [missing, ...others] = await readMissingGrants(client, schema)
      expect(others).toEqual([])
      expect(missing?.role).toBe(world.name('daemon'))
      expect(missing?.lacks.toSorted()).toEqual(
        [...granted, `USAGE on sequence ${schema}.sync_version`].toSorted(),
      )
      await client.query(`ROLLBACK; REVOKE DELETE ON ${schema}.sync_queue FROM ${rolesOf(schema).daemon}`)
      expect(await readMissingGrants(client, schema)).toEqual([
        { role: world.name('daemon'), lacks: [`DELETE on ${schema}.sync_queue`] },
      ])
      // What `sluice migrate --roles` does.
      await applyRoles(world.url('owner'), schema)
      expect(await readMissingGrants(client, schema)).toEqual([])
    } finally {
      client.release(true)
    }
  })

  test('cannot log in, and the printed SQL has the names filled in', async () => {
    const { daemon: role, operator, reader } = rolesOf(world.schema)
    const { rows } = await as(
      'owner',
      `SELECT rolname FROM pg_roles WHERE rolname IN ('${role}', '${operator}', '${reader}') AND NOT rolcanlogin AND NOT rolbypassrls`,
    )
    expect(rows).toHaveLength(3)
    const sql = await rolesSql('Our "sluice"'.replaceAll('"', ''))
    expect(sql).toContain('GRANT USAGE ON SCHEMA "Our sluice" TO "Our sluice_daemon"')
    expect(sql).not.toMatch(/:["']/)
    await expect(rolesSql('x'.repeat(60))).rejects.toThrow('too long')
  })

  test('what may not be granted is named: a table of somebody else', async () => {
    const other = world.name('writer')
    await world.database.pool.query(`
      CREATE TABLE app.theirs (id int PRIMARY KEY); ALTER TABLE app.theirs OWNER TO ${other};
      GRANT SELECT, TRIGGER ON app.theirs TO ${world.name('owner')}`)
    await world.install({
      ...definitions,
      theirs: { table: 'app.theirs', index: `${world.server.prefix}theirs` },
    })
    expect(await applyRoles(world.url('owner'), world.schema)).toEqual([
      `GRANT SELECT ON app.theirs TO ${rolesOf(world.schema).daemon}`,
    ])
  })

  test('take an owner: another is told what to do, and nothing is changed', async () => {
    await expect(applyRoles(world.url('writer'), world.schema)).rejects.toMatchObject({
      code: 'failed',
      remedy: expect.stringContaining('--dry-run'),
    })
  })

  test('can have odd names, as a schema can', async () => {
    const schema = 'Odd $roles$ %I :daemon; --'
    const odd = Object.values(rolesOf(schema)).map((role) => `"${role}"`)
    const { pool, url } = world.database
    await migrate(url, schema)
    try {
      expect(await applyRoles(url, schema)).toEqual([])
      const { rows } = await pool.query('SELECT FROM pg_roles WHERE rolname = ANY ($1)', [
        Object.values(rolesOf(schema)),
      ])
      expect(rows).toHaveLength(3)
    } finally {
      await pool.query(`DROP SCHEMA "${schema}" CASCADE; DROP OWNED BY ${odd}; DROP ROLE ${odd}`)
    }
  })
})

describe('the command line', () => {
  test('prints the SQL, which an administrator can run; an operator without a daemon is told what to do', async () => {
    const place = await workspace({
      DATABASE_URL: world.url('operator'),
      ELASTICSEARCH_URL: world.server.url,
      SLUICE_SCHEMA: world.schema,
    })
    try {
      await place.write('sluice.config.json', JSON.stringify({ documents: definitions }))
      const printed = await place.sluice(['migrate', '--roles', '--dry-run'])
      expect(printed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^BEGIN;.*COMMIT;\n$/s) })
      await world.database.pool.query(printed.stdout)
      await daemon.stop()
      const asked = await place.sluice(['backfill', 'city'])
      expect(asked.stderr).toContain(
        `no daemon works on city, and role ${world.name('operator')} may only ask`,
      )
      expect(asked.code).toBe(1)
      const daemonless = place.start(['run'])
      await eventually(() =>
        daemonless.output().includes('the role in DATABASE_URL may not work as a daemon'),
      )
      daemonless.process.kill('SIGTERM')
      expect((await daemonless.ended).code).toBe(0)
    } finally {
      await place.remove()
    }
  })
})
