import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, type TestDatabase, type TestElasticsearch } from '../support/context.ts'
import { type DoctorWorld, doctorWorld, type Finding, names } from './doctor-world.ts'

/** What somebody has changed by hand, on either server; the remedies undo it. */

let world: DoctorWorld
let database: TestDatabase
let elasticsearch: TestElasticsearch

beforeAll(async () => {
  world = await doctorWorld()
  database = world.db
  elasticsearch = world.search
})
afterAll(() => world.drop())

const findings = (env?: Readonly<Record<string, string>>) => world.findings(env)
const apply = (finding: Finding) => world.apply(finding)
const physical = () => world.physical()
const install = () => world.install()

describe('the doctor', () => {
  test('notices a trigger that was switched off', async () => {
    await database.pool.query('ALTER TABLE country DISABLE TRIGGER USER')
    // Perhaps the daemon has noticed it, too.
    const found = (await findings()).filter(({ what }) => what !== 'has an alarm')
    expect(found.length).toBeGreaterThan(0)
    for (const finding of found)
      expect(finding).toMatchObject({ severity: 'error', document: 'city', remedy: 'sluice install' })
    expect(found.map(({ evidence }) => evidence).join('\n')).toContain('on country (it was switched off)')
    await install()
  })

  test('notices an index that forgets deletes too soon', async () => {
    const { rows } = await database.pool.query<{ name: string }>('SELECT name FROM sluice.sync_index')
    const index = rows[0]?.name ?? ''
    const put = (value: string | null) =>
      elasticsearch.request('PUT', `/${index}/_settings`, { 'index.gc_deletes': value })
    // Null: the server's own default, a minute.
    for (const [value, said] of [
      ['3599s', '3599s'],
      [null, '60s'],
    ] as const) {
      await put(value)
      expect(await findings()).toEqual([
        {
          name: 'deletes_forgotten',
          severity: 'error',
          document: 'city',
          what: `forgets deletes in ${index} too soon`,
          evidence: `index.gc_deletes is ${said}: a request that is held up for longer brings a deleted document back`,
          remedy: `curl -X PUT '${elasticsearch.url}/${index}/_settings' -H 'Content-Type: application/json' -d '{"index.gc_deletes":"1h"}'`,
          advice: null,
        },
      ])
    }
    await put('1d')
    expect(await findings()).toEqual([])
  })

  test('notices mappings that were changed, and fields that others write', async () => {
    const { rows } = await database.pool.query<{ name: string }>('SELECT name FROM sluice.sync_index')
    const index = rows[0]?.name ?? ''
    const mapping = (body: object) => elasticsearch.request('PUT', `/${index}/_mapping`, body)
    await mapping({ dynamic: true })
    // No document has this one: it is of no consequence.
    await mapping({ properties: { left: { type: 'keyword' } } })
    await elasticsearch.request('PUT', `/${index}/_doc/1?refresh=true`, { color: { of: 'red' } })
    expect(await findings()).toEqual([
      {
        name: 'mapping_changed',
        severity: 'warning',
        document: 'city',
        what: 'has other mappings in its index than it was made with',
        evidence: `dynamic was "strict", and is "true" in ${index}`,
        remedy: `curl -X PUT '${elasticsearch.url}/${index}/_mapping' -H 'Content-Type: application/json' -d '{"dynamic":"strict"}'`,
        advice: null,
      },
      {
        name: 'mapping_foreign',
        severity: 'warning',
        document: 'city',
        what: 'has a field in its index that it does not define',
        evidence: `color (object) in ${index}; 1 document has a value there`,
        remedy: 'sluice reindex city',
        advice: expect.stringContaining('documents.city.mappings'),
      },
    ])
    await elasticsearch.request('DELETE', `/${index}/_doc/1?refresh=true`)
    for (const finding of await findings()) if (finding.name === 'mapping_changed') await apply(finding)
    expect(await findings()).toEqual([])
  })

  test('notices the setting that keeps triggers from firing', async () => {
    const setting = (text: string) =>
      database.pool.query(
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I ${text}', current_database()); END $$`,
      )
    await setting('SET session_replication_role = replica')
    const found = await findings()
    await setting('RESET session_replication_role')
    const name = new URL(database.url).pathname.slice(1)
    expect(found[0]).toEqual({
      severity: 'error',
      document: null,
      what: `session_replication_role is replica for database ${name}: no trigger fires`,
      evidence: 'what such sessions change goes by without a mark in city',
      name: 'triggers_off',
      remedy: `ALTER DATABASE "${name}" RESET session_replication_role`,
      advice: 'then end the sessions that began with it, and: sluice verify --deep --repair',
    })
    // A daemon that looked meanwhile has an alarm until it looks again.
    await eventually(async () => expect(await findings()).toEqual([]))
  })

  test('finds what somebody did by hand, on either server; the remedies as they are printed undo it', async () => {
    const index = await physical()
    const role = `doctor_${index.slice(-6)}`
    const settings = (body: object) => elasticsearch.request('PUT', `/${index}/_settings`, body)
    const { pool } = database
    await pool.query(`
      CREATE OR REPLACE FUNCTION sluice."capture_city.country_update"() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END';
      ALTER FUNCTION sluice."capture_city.country_delete"() SECURITY INVOKER;
      ALTER FUNCTION sluice."capture_city.country_truncate"() RESET search_path;
      CREATE OR REPLACE TRIGGER "sluice_city.country_insert" AFTER INSERT ON country
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT WHEN (current_user <> 'loader') EXECUTE FUNCTION sluice."capture_city.country_insert"();
      ALTER TABLE sluice.sync_queue SET (autovacuum_enabled = off);
      CREATE ROLE ${role} LOGIN CONNECTION LIMIT 2;
      GRANT USAGE ON SCHEMA sluice TO ${role};
      GRANT SELECT ON city, country TO ${role};
      GRANT ALL ON ALL TABLES IN SCHEMA sluice TO ${role};
      GRANT ALL ON ALL SEQUENCES IN SCHEMA sluice TO ${role};
      INSERT INTO sluice.sync_worker (instance, host, pid, version, role, state, seen_at)
        VALUES ('other', 'there', 1, '0', '${role}', 'running', clock_timestamp() + interval '1 day')`)
    await elasticsearch.request('DELETE', `/_index_template/sluice-${elasticsearch.prefix}cities`)
    await settings({ 'index.refresh_interval': '-1', 'index.blocks.write': true })
    const found = await findings()
    const told = (evidence: string) =>
      expect.objectContaining({ name: 'not_as_configured', severity: 'error', evidence })
    for (const event of ['update', 'delete', 'truncate'])
      expect(found).toContainEqual(
        told(`sluice install would change function capture_city.country_${event} (it was changed by hand)`),
      )
    expect(found).toContainEqual(
      told(
        'sluice install would change trigger sluice_city.country_insert on country (it fired for some rows only)',
      ),
    )
    expect(names(found)).toEqual(
      new Set([
        'not_as_configured',
        'guard_missing',
        'index_read_only',
        'never_refreshed',
        'autovacuum_off',
        'connections_short',
      ]),
    )
    // The index first: install asks for a run.
    for (const name of ['index_read_only', 'never_refreshed', 'autovacuum_off', 'connections_short'] as const)
      for (const finding of found) if (finding.name === name) await apply(finding)
    expect(names(await findings())).toEqual(new Set(['not_as_configured', 'guard_missing']))
    await install()
    await pool.query(
      `DELETE FROM sluice.sync_worker WHERE instance = 'other'; DROP OWNED BY ${role}; DROP ROLE ${role}`,
    )
  })
})
