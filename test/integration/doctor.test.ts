import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { doctorJson } from '../../src/cli/json/doctor.ts'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Started, type Workspace, workspace } from './cli-support.ts'

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

async function findings(): Promise<readonly Finding[]> {
  const { code, value } = await place.json(['doctor'])
  const { findings: found } = doctorJson.parse(value)
  expect(code).toBe(found.length === 0 ? 0 : 3)
  return found
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
    expect(await place.sluice(['doctor'])).toMatchObject({ code: 0, stdout: 'Nothing is wrong.\n' })
  })

  test('names a missing index and prints it', async () => {
    await database.pool.query('DROP INDEX city_country_code_idx')
    const found = await findings()
    await database.pool.query('CREATE INDEX ON city (country_code)')
    expect(found).toContainEqual({
      severity: 'warning',
      document: 'city',
      what: 'misses an index on public.city (country_code)',
      evidence: 'without it, each change of country reads the whole table',
      remedy: 'CREATE INDEX ON public.city (country_code)',
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
    await elasticsearch.request('PUT', `/${left}`, { mappings: live?.mappings })
    await ask(`('optimize', 'city', '{"nonsense": 1}')`)
    await eventually(async () => {
      const { rows } = await database.pool.query(`SELECT state FROM sluice.sync_run WHERE kind = 'optimize'`)
      expect(rows).toEqual([{ state: 'failed' }])
    })
    expect(await findings()).toEqual([
      {
        severity: 'error',
        document: 'city',
        what: 'has a last optimize that failed',
        evidence: expect.stringMatching(/^run \d+, ended .*: .*nonsense/),
        remedy: expect.stringMatching(/^sluice optimize city/),
      },
      {
        severity: 'warning',
        document: 'city',
        what: 'has an index that nobody uses',
        evidence: expect.stringContaining(`${left} was made by sluice for it`),
        remedy: `DELETE /${left}`,
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
          severity: 'error',
          document: 'city',
          what: `forgets deletes in ${index} too soon`,
          evidence: `index.gc_deletes is ${said}: a request that is held up for longer brings a deleted document back`,
          remedy: `PUT /${index}/_settings {"index.gc_deletes": "1h"}`,
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
        severity: 'warning',
        document: 'city',
        what: 'takes all columns of city, and not those that it has got since the install',
        evidence: 'height (documents.city)',
        remedy: 'sluice install adds them; omit leaves them out',
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
        severity: 'warning',
        document: 'city',
        what: 'has other mappings in its index than it was made with',
        evidence: `dynamic was "strict", and is "true" in ${index}`,
        remedy: `PUT /${index}/_mapping {"dynamic":"strict"}`,
      },
      {
        severity: 'warning',
        document: 'city',
        what: 'has a field in its index that it does not define',
        evidence: `color (object) in ${index}; 1 document has a value there`,
        remedy: expect.stringContaining('sluice reindex city'),
      },
    ])
    await elasticsearch.request('DELETE', `/${index}/_doc/1?refresh=true`)
    await mapping({ dynamic: 'strict' })
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
      remedy: `ALTER DATABASE "${name}" RESET session_replication_role; end those sessions; then sluice verify --deep --repair`,
    })
  })
})
