import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { failedChangeJson, failedListJson, failedShowJson } from '../../src/answers/json/failed.ts'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'

/** A document that Elasticsearch refuses, from its dead letter to the index, by the command line alone. */

const elasticsearch = testElasticsearch()
let database: TestDatabase
let place: Workspace

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(`
    CREATE TABLE city (id int PRIMARY KEY, name text);
    CREATE TABLE pair (a text, b int, PRIMARY KEY (a, b))`)
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url })
  await place.write(
    'sluice.config.mjs',
    `export default { documents: {
       city: { table: 'city', index: '${elasticsearch.prefix}city', mappings: { properties: { name: { type: 'keyword' } } } },
       pair: { table: 'pair', index: '${elasticsearch.prefix}pair' },
     } }`,
  )
  // A backfill would look at the rows behind the tests' back.
  expect((await place.sluice(['install', '--no-backfill'])).code).toBe(0)
})
afterAll(async () => {
  await place.remove()
  await elasticsearch.drop()
  await database.drop()
})

const marks = async () =>
  (await database.pool.query('SELECT document, keys FROM sluice.sync_queue ORDER BY document')).rows

describe('of rows in sync_failed', () => {
  beforeEach(() =>
    database.pool.query(`
      TRUNCATE sluice.sync_failed, sluice.sync_queue;
      INSERT INTO sluice.sync_failed (document, key, target, id, version, state, attempts, due_at, type, reason, origin)
      SELECT 'city', n::text, '', n::text, 9007199254740993, 'dead', 5, NULL, 'mapper_parsing_exception', 'no number', '7'::xid8
        FROM generate_series(1, 30) n
      UNION ALL SELECT 'pair', '["x:y", "1"]', '', 'x%3Ay:1', 1, 'retrying', 2, now() + interval '1 minute', 'other', 'odd', '8'::xid8`),
  )

  test('list shows reasons in full and failures up to a limit', async () => {
    const { code, value } = await place.json(['failed', 'list', '--limit', '3'])
    const { groups, failures } = failedListJson.parse(value)
    expect(code).toBe(0)
    expect(groups).toMatchObject([
      { document: 'city', type: 'mapper_parsing_exception', reason: 'no number', dead: 30, retrying: 0 },
      { document: 'pair', dead: 0, retrying: 1 },
    ])
    expect(failures).toHaveLength(3)
    expect(failures.at(-1)).toMatchObject({
      version: '9007199254740993',
      dueAt: null,
      lastFailedAt: expect.stringMatching(/Z$/),
    })
    const retrying = failedListJson.parse((await place.json(['failed', 'list', '--state', 'retrying'])).value)
    expect(retrying.groups.map(({ document }) => document)).toEqual(['pair'])
    expect((await place.sluice(['failed', 'list', 'city', '--type', 'other'])).stdout).toBe(
      'nothing has failed\n',
    )
    expect((await place.sluice(['failed'])).stdout).toMatch(
      /city +30 +0 .* mapper_parsing_exception +no number/,
    )
  })

  test('show tells all of one', async () => {
    const { failures } = failedShowJson.parse((await place.json(['failed', 'show', 'pair', 'x%3Ay:1'])).value)
    expect(failures).toMatchObject([{ key: '["x:y", "1"]', state: 'retrying', attempts: 2, reason: 'odd' }])
    const { code, stderr } = await place.sluice(['failed', 'show', 'pair', 'z:1'])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('sluice inspect pair z:1') })
  })

  test('retry marks what was chosen', async () => {
    const { code, value } = await place.json(['failed', 'retry', 'pair', '--id', 'x%3Ay:1'])
    expect({ code, value: failedChangeJson.parse(value) }).toEqual({
      code: 0,
      value: { document: 'pair', type: null, count: 1 },
    })
    expect(await marks()).toEqual([{ document: 'pair', keys: ['["x:y", "1"]'] }])
    const all = await place.sluice(['failed', 'retry', '--all', '--type', 'mapper_parsing_exception'])
    expect(all.stdout).toBe('Marked 30 documents again.\n')
  })

  test('discard asks, and where nobody can answer wants --yes', async () => {
    const asked = await place.sluice(['failed', 'discard', 'city'])
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('Say --yes') })
    const { value } = await place.json(['failed', 'discard', 'city', '--id', '1', '2', '--yes'])
    expect(failedChangeJson.parse(value).count).toBe(2)
    const rest = await place.sluice(['failed', 'discard', '--all', '--yes'])
    expect(rest.stdout).toBe('Forgot 28 documents; the index keeps what it has of them.\n')
    expect((await database.pool.query('SELECT document FROM sluice.sync_failed')).rows).toEqual([
      { document: 'pair' },
    ])
    expect(await marks()).toEqual([])
  })

  test.each([
    [['failed', 'retry'], 'which ones?'],
    [['failed', 'discard', '--yes'], 'which ones?'],
    [['failed', 'retry', 'city', '--all'], 'name neither a document'],
    [['failed', 'retry', 'city', '--id', '1', '99'], 'city 99 has not failed'],
    [['failed', 'list', 'town'], 'no document "town"'],
    [['failed', 'list', '--state', 'odd'], 'retrying, dead'],
  ])('%j is wrong usage', async (args, message) => {
    const { code, stderr } = await place.sluice(args)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) })
    expect(await marks()).toEqual([])
  })
})

describe('with a daemon', () => {
  beforeEach(() => database.pool.query('TRUNCATE sluice.sync_failed, sluice.sync_queue'))

  test('a refused document is dead, is retried in vain, put right, retried and indexed', async () => {
    const daemon = place.start(['run'], { ADMIN_PORT: 'off', LOG_LEVEL: 'silent' })
    const dead = () =>
      eventually(async () => {
        const { rows } = await database.pool.query<{ state: string; attempts: number }>(
          'SELECT state, attempts FROM sluice.sync_failed',
        )
        expect(rows).toEqual([{ state: 'dead', attempts: 1 }])
        expect(await marks()).toEqual([])
      })
    // A keyword takes 32,766 bytes.
    await database.pool.query(`INSERT INTO city VALUES (1, repeat('x', 40000)), (2, 'fine')`)
    await dead()
    const { failures } = failedListJson.parse((await place.json(['failed', 'list', 'city'])).value)
    expect(failures).toMatchObject([{ id: '1', state: 'dead', target: expect.stringContaining('city-') }])
    await place.sluice(['failed', 'retry', 'city'])
    await dead()

    // What Elasticsearch refuses is put right there: here, a row that it takes, behind the triggers' back.
    await database.pool.query(`SET session_replication_role = replica; UPDATE city SET name = 'short' WHERE id = 1;
      SET session_replication_role = origin`)
    expect(await place.sluice(['failed', 'retry', 'city', '--id', '1'])).toMatchObject({
      stdout: 'Marked 1 document again.\n',
      stderr: '',
    })
    await eventually(async () => {
      const answer = await elasticsearch.request('GET', `/${elasticsearch.prefix}city/_doc/1`)
      expect(answer).toMatchObject({ _source: { name: 'short' } })
    })
    await eventually(async () => {
      expect((await database.pool.query('SELECT FROM sluice.sync_failed')).rows).toEqual([])
    })
    daemon.process.kill('SIGTERM')
    expect((await daemon.ended).code).toBe(0)
  })
})
