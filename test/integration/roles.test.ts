import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readMissingGrants } from '../../src/cli/doctor/read-grants.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { applyRoles, rolesOf, rolesSql } from '../../src/postgres/roles.ts'
import { eventually } from '../support/context.ts'
import { workspace } from './cli-support.ts'
import { type CitiesWorld, citiesWorld, type Login } from './roles-world.ts'

let world: CitiesWorld
let definitions: CitiesWorld['definitions']
let daemon: CitiesWorld['daemon']
const as = (login: Login, sql: string) => world.as(login, sql)

beforeAll(async () => {
  world = await citiesWorld()
  ;({ definitions, daemon } = world)
})
afterAll(() => world?.drop())

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
