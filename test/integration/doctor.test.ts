import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { doctorJson } from '../../src/answers/json/doctor.ts'
import { readOldSnapshots } from '../../src/cli/doctor/read-vacuum.ts'
import { eventually, type TestDatabase, type TestElasticsearch } from '../support/context.ts'
import type { Started, Workspace } from './cli-support.ts'
import { type DoctorWorld, doctorWorld, type Finding, names, withoutOthers } from './doctor-world.ts'
import { tlsBefore } from './tls-before.ts'

let world: DoctorWorld
let database: TestDatabase
let elasticsearch: TestElasticsearch
let place: Workspace
let daemon: Started

beforeAll(async () => {
  world = await doctorWorld()
  database = world.db
  elasticsearch = world.search
  place = world.place
  daemon = world.daemon
})
afterAll(() => world.drop())

const findings = (env?: Readonly<Record<string, string>>) => world.findings(env)
const apply = (finding: Finding) => world.apply(finding)
const physical = () => world.physical()
const install = () => world.install()

/** As the command prints them: one process a look. */
async function printed(env: Readonly<Record<string, string>> = {}): Promise<readonly Finding[]> {
  const { code, value } = await place.json(['doctor'], env)
  const { findings: found } = doctorJson.parse(value)
  expect(code).toBe(found.some(({ severity }) => severity !== 'note') ? 3 : 0)
  return withoutOthers(found)
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
