import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { doctorJson } from '../../src/answers/json/doctor.ts'
import { curlFor } from '../../src/cli/doctor/curl.ts'
import { diagnose } from '../../src/cli/doctor/diagnose.ts'
import { examine } from '../../src/cli/doctor/examine.ts'
import { readOldSnapshots } from '../../src/cli/doctor/read-vacuum.ts'
import { loadSchedules, loadSettings } from '../../src/config/load.ts'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Started, type Workspace, workspace } from './cli-support.ts'
import { withoutOthers } from './doctor-world.ts'
import { tlsBefore } from './tls-before.ts'

type Finding = z.infer<typeof doctorJson>['findings'][number]

const elasticsearch = testElasticsearch()
let database: TestDatabase
let place: Workspace
let daemon: Started

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(`
    CREATE TABLE country (code text PRIMARY KEY, name text);
    CREATE TABLE city (id int, country_code text REFERENCES country, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE city_low PARTITION OF city FOR VALUES FROM (0) TO (1000);
    CREATE TABLE city_high PARTITION OF city FOR VALUES FROM (1000) TO (2000);
    CREATE INDEX ON city (country_code)`)
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url })
  const city = {
    table: 'city',
    index: `${elasticsearch.prefix}cities`,
    relations: { country: { one: 'country', fields: ['name'] } },
  }
  await place.write('sluice.config.json', JSON.stringify({ documents: { city } }))
  expect((await place.sluice(['install'])).code).toBe(0)
  daemon = place.start(['run'], { ADMIN_PORT: 'off' })
  await eventually(async () => expect(await findings()).toEqual([]))
})
afterAll(async () => {
  await place.remove()
  await elasticsearch.drop()
  await database.drop()
})

/** As the command prints them: one process a look. */
async function printed(env: Readonly<Record<string, string>> = {}): Promise<readonly Finding[]> {
  const { code, value } = await place.json(['doctor'], env)
  const { findings: found } = doctorJson.parse(value)
  expect(code).toBe(found.some(({ severity }) => severity !== 'note') ? 3 : 0)
  return withoutOthers(found)
}

/** The same, found in this process: looks are many here, and each command reads the program for half a second. */
async function findings(env: Readonly<Record<string, string>> = {}): Promise<readonly Finding[]> {
  const urls = { DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url }
  const sources = { env: { ...urls, ...env }, cwd: place.folder }
  const settings = await loadSettings(sources)
  // Connections of its own each time: some settings hold for new ones alone.
  await using open = new AsyncDisposableStack()
  const pool = open.adopt(createPool(database.url, { max: 4, applicationName: 'sluice doctor' }), (opened) =>
    opened.end(),
  )
  const connection = connectElasticsearch(settings.elasticsearch, {
    requestTimeoutMs: settings.limits.requestTimeout,
  })
  open.defer(() => connection.close())
  const examined = await examine(pool, connection, settings, await loadSchedules(sources))
  const found = withoutOthers(diagnose(examined, curlFor(settings.elasticsearch), new Date()))
  return doctorJson.shape.findings.parse(JSON.parse(JSON.stringify(found)))
}

const names = (found: readonly Finding[]) => new Set(found.map(({ name }) => name))

/** As an operator does it: commands go into a shell, the rest into psql. */
async function apply({ remedy }: Finding): Promise<void> {
  if (remedy === null) throw new Error('there is no remedy')
  if (remedy.startsWith('curl ')) {
    const { stdout } = await promisify(execFile)('sh', ['-c', remedy.replaceAll('curl ', 'curl -sS --fail ')])
    expect(stdout).toContain('"acknowledged":true')
  } else if (remedy.startsWith('sluice ')) {
    expect(await place.sluice(remedy.split(' ').slice(1))).toMatchObject({ code: 0 })
  } else await database.pool.query(remedy)
}

async function physical(): Promise<string> {
  const { rows } = await database.pool.query<{ name: string }>(
    "SELECT name FROM sluice.sync_index WHERE role = 'live'",
  )
  return rows[0]?.name ?? ''
}

async function install(): Promise<void> {
  expect((await place.sluice(['install'])).code).toBe(0)
  await eventually(async () => expect(await findings()).toEqual([]))
}

/** Requests a run by SQL, as soon as a verify that an install asked for is over. */
function ask(values: string): Promise<void> {
  return eventually(async () => {
    await database.pool.query(`INSERT INTO sluice.sync_run (kind, document, options) VALUES ${values}`)
  })
}

describe('the doctor', () => {
  test('says that nothing is wrong, where nothing is', async () => {
    // What other test files do to the cluster that they all share is over in the end.
    await eventually(async () =>
      expect(await place.sluice(['doctor'])).toMatchObject({ code: 0, stdout: 'Nothing is wrong.\n' }),
    )
  })

  test('names a missing index and prints it', async () => {
    await database.pool.query('DROP INDEX city_country_code_idx')
    const found = await printed()
    await database.pool.query('CREATE INDEX ON city (country_code)')
    expect(found).toContainEqual({
      name: 'unindexed_link',
      severity: 'warning',
      document: 'city',
      what: 'misses an index on public.city (country_code)',
      evidence: 'without it, each change of country reads the whole table',
      remedy: 'CREATE INDEX ON public.city (country_code)',
      advice: null,
    })
  })

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

  test('notices a partition that came and one that went', async () => {
    await database.pool.query(`
      CREATE TABLE city_new (LIKE city INCLUDING ALL);
      ALTER TABLE city ATTACH PARTITION city_new FOR VALUES FROM (2000) TO (3000)`)
    const came = (await findings()).map(({ evidence }) => evidence).join('\n')
    expect(came).toContain('city_new')
    await install()
    await database.pool.query('ALTER TABLE city DETACH PARTITION city_high')
    const went = (await findings()).map(({ evidence }) => evidence).join('\n')
    expect(went).toContain('verify of city: a partition is gone')
    await install()
  })

  test('tells of a document that is paused, with its reason', async () => {
    await place.sluice(['pause', 'city'])
    // The daemon knows it too, and does not say it a second time.
    await eventually(() => expect(daemon.output()).toContain('it is paused'))
    expect(await findings()).toEqual([
      expect.objectContaining({
        severity: 'error',
        document: 'city',
        what: 'is paused',
        remedy: 'sluice resume city',
      }),
    ])
    await place.sluice(['resume', 'city'])
    expect(await findings()).toEqual([])
  })

  test('tells of a run that failed while nobody watched, and of an index that nobody uses; status of the run, too', async () => {
    const left = `${elasticsearch.prefix}cities-29991231000000-abcdef`
    const [live] = Object.values(
      (await elasticsearch.request('GET', `/${elasticsearch.prefix}cities/_mapping`)) as {
        mappings: object
      }[],
    )
    await elasticsearch.createIndex(left, live ?? {})
    await ask(`('optimize', 'city', '{"nonsense": 1}')`)
    await eventually(async () => {
      const { rows } = await database.pool.query(`SELECT state FROM sluice.sync_run WHERE kind = 'optimize'`)
      expect(rows).toEqual([{ state: 'failed' }])
    })
    expect(await findings()).toEqual([
      {
        name: 'run_failed',
        severity: 'error',
        document: 'city',
        what: 'has a last optimize that failed',
        evidence: expect.stringMatching(/^run \d+, ended .*: .*nonsense/),
        remedy: 'sluice optimize city',
        advice: expect.stringContaining('sluice runs show'),
      },
      {
        name: 'index_left',
        severity: 'warning',
        document: 'city',
        what: 'has an index that nobody uses',
        evidence: expect.stringContaining(`${left} was made by sluice for it`),
        remedy: `curl -X DELETE '${elasticsearch.url}/${left}'`,
        advice: null,
      },
    ])
    const status = await place.sluice(['status'])
    expect(status.stdout).toMatch(
      /run \d+: the last optimize of city failed, .*nonsense.*; sluice runs show \d+/,
    )
    await elasticsearch.request('DELETE', `/${left}`)
    // Another of its kind was asked for.
    await ask(`('optimize', 'city', '{}')`)
    const again = await place.sluice(['status'])
    expect(again.stdout).not.toMatch(/the last optimize of city failed/)
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

  test('notices columns that came after the install of a document that takes all, as every command does', async () => {
    await database.pool.query('ALTER TABLE city ADD height int')
    expect(await findings()).toEqual([
      {
        name: 'later_columns',
        severity: 'warning',
        document: 'city',
        what: 'takes all columns of city, and not those that it has got since the install',
        evidence: 'height (documents.city)',
        remedy: 'sluice install',
        advice: expect.stringContaining('"omit"'),
      },
    ])
    const told = 'city has got height since the install, and documents.city takes all columns'
    expect((await place.sluice(['status'])).stdout).toContain(told)
    expect((await place.sluice(['install', '--dry-run'])).stderr).toContain(told)
    expect((await place.sluice(['check'])).stderr).toContain(told)
    await database.pool.query(
      'ALTER TABLE city RENAME height TO altitude; ALTER TABLE city RENAME name TO title',
    )
    expect(await findings()).toMatchObject([{ evidence: 'altitude (documents.city)' }])
    await install()
  })

  test('makes no fuss of a column that no document uses', async () => {
    // Until now all columns were used, and nothing had to be compared.
    await database.pool.query('ALTER TABLE country ADD area int')
    const found = await findings()
    expect(found.map(({ evidence }) => evidence)).toContain(
      'sluice install would create function changed_city.country',
    )
    expect(new Set(found.map(({ severity }) => severity))).toEqual(new Set(['warning']))
    await install()
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

  test('a document that install would refuse keeps no other finding back', async () => {
    const { pool } = database
    await pool.query('ALTER TABLE country RENAME name TO title; DROP INDEX city_country_code_idx')
    const found = await findings()
    await pool.query('ALTER TABLE country RENAME title TO name; CREATE INDEX ON city (country_code)')
    expect(found).toEqual([
      expect.objectContaining({
        name: 'not_installable',
        severity: 'error',
        document: 'city',
        evidence: expect.stringContaining('country has no column "name"'),
        advice: expect.stringContaining('code, title'),
      }),
    ])
    expect(await findings()).toEqual([])
  })

  test('tells what the last verify has left', async () => {
    await database.pool.query(
      `INSERT INTO country VALUES ('ch', 'Switzerland'); INSERT INTO city VALUES (1, 'ch')`,
    )
    const index = await physical()
    // Both rows mark it: until neither mark is left, it may come back; an install before this has asked for a verify.
    await eventually(async () => {
      const { rows } = await database.pool.query(
        `SELECT id FROM sluice.sync_queue UNION ALL
         SELECT id FROM sluice.sync_run WHERE state IN ('requested', 'running', 'cancelling')`,
      )
      return rows.length === 0
    })
    const { _version } = z
      .object({ _version: z.number() })
      .parse(await elasticsearch.request('GET', `/${index}/_doc/1`))
    // At its own version: a higher one would be foreign, and a daemon that sees it has everything written again.
    const at = `version=${_version}&version_type=external_gte`
    await elasticsearch.request('DELETE', `/${index}/_doc/1?refresh=true&${at}`)
    expect((await place.sluice(['verify', 'city'])).code).toBe(3)
    const [drift, ...others] = await findings()
    expect(drift).toMatchObject({
      name: 'drift',
      document: 'city',
      evidence: expect.stringContaining('left 1 missing, 0 stale, 0 extra'),
      remedy: 'sluice verify city --repair',
    })
    expect(others).toEqual([])
    if (drift !== undefined) await apply(drift)
    expect(await findings()).toEqual([])
  })

  test('a clock that is wrong, a certificate about to expire, and a note of what is not encrypted', async () => {
    const tls = await tlsBefore(elasticsearch.url, place.folder, { days: 2 })
    try {
      const environment = {
        DATABASE_URL: database.url.replace('127.0.0.1', '0.0.0.0'),
        PLAINTEXT_HOSTS: '0.0.0.0',
        ELASTICSEARCH_URL: tls.url,
        ELASTICSEARCH_CA_FILE: tls.caFile,
        NODE_OPTIONS: `--import=${await place.file('late.mjs', 'const now = Date.now; Date.now = () => now() - 7_200_000')}`,
      }
      const found = await printed(environment)
      expect(found.map(({ name, severity }) => [name, severity])).toEqual([
        ['certificate_expires', 'error'],
        ['clock_differs', 'warning'],
        ['plaintext', 'note'],
      ])
      expect(found[1]?.evidence).toMatch(/^the database's clock is (2 h|1 h 59 min) ahead of this machine's$/)
      const { NODE_OPTIONS: _, ELASTICSEARCH_URL: __, ...unencrypted } = environment
      // A note is what somebody decided: exit code 0.
      expect(names(await printed(unencrypted))).toEqual(new Set(['plaintext']))
    } finally {
      await tls.close()
    }
  })

  test('names a transaction that keeps vacuum from cleaning up, and ends it', async () => {
    const client = await database.pool.connect()
    client.on('error', () => {})
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT')
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      const old = async () =>
        (await readOldSnapshots(database.pool, '0 s')).filter(({ pid }) => pid === rows[0]?.pid)
      expect(await old()).toEqual([expect.objectContaining({ state: 'idle in transaction', gid: null })])
      await database.pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
      await eventually(async () => expect(await old()).toEqual([]))
    } finally {
      client.release(true)
    }
  })

  test('a backlog that is too old, while no daemon works', async () => {
    daemon.process.kill('SIGTERM')
    await daemon.ended
    await database.pool.query(`INSERT INTO city VALUES (2, 'ch')`)
    const limit = { ALERT_BACKLOG_AFTER: '1s' }
    const found = await eventually(async () => {
      const now = await findings(limit)
      return names(now).has('backlog_old') ? now : null
    })
    expect(names(found)).toEqual(new Set(['no_worker', 'backlog_old']))
    for (const { remedy } of found) expect(remedy).toBe('sluice run')
    daemon = place.start(['run'], { ADMIN_PORT: 'off' })
    await eventually(async () => expect(await findings(limit)).toEqual([]))
  })
})
