import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Ended, type Workspace, workspace } from './cli-support.ts'

/**
 * Secrets of a kind that nothing else looks like, in every place where one can be: passwords, API key, values of rows.
 * Then everything is made to fail that can, and all that sluice prints, logs and stores is searched for them. (A field that a strict mapping refuses is named: field names
 * are no values.)
 */

const CANARIES = {
  database: 'c4naryDATABASEpassword',
  password: 'c4naryELASTICSEARCHpassword',
  inUrl: 'c4naryINURLpassword',
  apiKey: 'c4naryAPIkeyc4naryAPIkey',
  value: 'c4naryROWvalue',
} as const
const secrets = [
  ...Object.values(CANARIES),
  // As headers show them.
  btoa(`elastic:${CANARIES.password}`),
  btoa(`elastic:${CANARIES.inUrl}`),
]

let database: TestDatabase
let place: Workspace
const elasticsearch = testElasticsearch()
const printed: string[] = []

beforeAll(async () => {
  database = await testDatabase()
  const { value } = CANARIES
  await database.pool.query(`
    CREATE TABLE item (id int PRIMARY KEY, name text, wrong text, number text, day text);
    CREATE FUNCTION fussy(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
      BEGIN IF $1 LIKE 'raise%' THEN RAISE EXCEPTION 'not this: %', $1 USING ERRCODE = '22023'; END IF; RETURN $1; END $$;
    -- Each is refused by something else: Elasticsearch's mapping, a cast, a number's range, a date, a function, transform.
    INSERT INTO item VALUES
      (1, 'good', NULL, '1', NULL), (2, 'mapping', '${value} "x"', '1', NULL), (3, 'cast', NULL, 'a"b": "${value}"', NULL),
      (4, 'date', NULL, '1', '${value}'), (5, 'raise ${value}', NULL, '1', NULL), (6, 'throw ${value}', NULL, '1', NULL)`)
  place = await workspace({
    DATABASE_URL: database.url,
    ELASTICSEARCH_URL: elasticsearch.url,
    MAX_RETRIES: '1',
  })
  await place.write(
    'sluice.config.mjs',
    `export default { documents: { item: {
      table: 'item', index: '${elasticsearch.prefix}item',
      fields: { id: 'id', name: { sql: 'fussy(name)' }, wrong: 'wrong', number: { sql: 'number::int' }, day: { sql: 'day::date' } },
      mappings: { properties: { wrong: { type: 'integer' } } },
      transform: (doc) => {
        if (doc.name.startsWith('throw')) throw new Error('cannot have "' + doc.name + '"')
        return doc
      },
    } } }`,
  )
})
afterAll(async () => {
  await place?.remove()
  await elasticsearch.drop()
  await database?.drop()
})

/** Runs a command, keeps what it printed, and says how it ended. */
async function run(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const ended = await place.sluice(line.split(' '), env)
  printed.push(`$ ${line}\n${ended.stdout}${ended.stderr}`)
  return ended
}

test('credentials are in no message, whatever is wrong with them', async () => {
  const { database: pass, password, inUrl, apiKey } = CANARIES
  const wrong = Object.assign(new URL(database.url), { password: pass }).href
  const search = (more: Record<string, string>) => ({ ELASTICSEARCH_URL: 'http://127.0.0.1:1', ...more })
  const codes = await Promise.all([
    run('status', { DATABASE_URL: wrong }),
    run('migrate', { DATABASE_URL: `postgres://me:${pass}@127.0.0.1:1/x` }),
    run('status --json', { DATABASE_URL: `postgres://me:${pass}#x@db/shop` }),
    run('status', { DATABASE_URL: `postgres://me:${pass}@db/shop?sslmode=disable` }),
    run('install', search({ ELASTICSEARCH_USERNAME: 'elastic', ELASTICSEARCH_PASSWORD: password })),
    run('install --json', search({ ELASTICSEARCH_API_KEY: apiKey })),
    run('install', { ELASTICSEARCH_URL: `http://elastic:${inUrl}@127.0.0.1:1` }),
    run('install', { ELASTICSEARCH_URL: `http://elastic:${inUrl}@search:9200` }),
    run('install', search({ ELASTICSEARCH_API_KEY: apiKey, ELASTICSEARCH_PASSWORD: password })),
  ])
  expect(codes.map(({ code }) => code)).toEqual([4, 4, 2, 2, 4, 4, 4, 2, 2])
})

test('a daemon that meets refused documents and outages, and is killed, says no value and no credential', async () => {
  expect((await run('install')).code).toBe(0)
  const env = {
    LOG_LEVEL: 'trace',
    ELASTICSEARCH_USERNAME: 'elastic',
    ELASTICSEARCH_PASSWORD: CANARIES.password,
  }
  const daemon = place.start(['run'], env)
  const dead = `SELECT (SELECT count(*)::int FROM sluice.sync_failed WHERE state = 'dead') -
                       (SELECT count(*)::int FROM sluice.sync_run WHERE finished_at IS NULL) AS n`
  await eventually(async () => (await database.pool.query(dead)).rows[0]?.n === 5, {
    describe: async () =>
      JSON.stringify((await database.pool.query('TABLE sluice.sync_failed')).rows) + daemon.output(),
  })
  await database.pool.query(`
    UPDATE item SET name = 'good ${CANARIES.value}' WHERE id = 1;
    INSERT INTO sluice.sync_run (kind, document, options) VALUES ('backfill', 'item', '{"where": "number::int > 0"}')`)
  await eventually(async () => {
    const { rows } = await database.pool.query("SELECT FROM sluice.sync_run WHERE state = 'failed'")
    return rows.length === 1
  })
  daemon.process.kill('SIGKILL')
  const ended = await daemon.ended
  printed.push(ended.stdout, ended.stderr)
  // Pages that are for whoever may see a row show it: inspect, preview.
  for (const line of [
    'status',
    'doctor',
    'failed list',
    'failed show item 2',
    'runs',
    'runs show 2',
    'verify --no-wait',
  ])
    await run(line, { LOG_LEVEL: 'trace' })
})

test('nor do they stand in what sluice stores, the queue of keys aside', async () => {
  for (const table of [
    'sync_failed',
    'sync_log',
    'sync_rollup',
    'sync_run',
    'sync_worker',
    'sync_document',
    'sync_queue',
  ]) {
    // The definition is the configuration.
    const columns = table === 'sync_document' ? 'name, state, reason, alarm' : '*'
    const { rows } = await database.pool.query(`SELECT ${columns} FROM sluice.${table}`)
    printed.push(`${table}: ${JSON.stringify(rows)}`)
  }
  const all = printed.join('\n')
  expect(all.length).toBeGreaterThan(5_000)
  expect(all).toContain('failed to parse field [wrong] of type [integer]')
  const lines = all.split('\n').filter((line) => secrets.some((secret) => line.includes(secret)))
  expect(lines).toEqual([])
})
