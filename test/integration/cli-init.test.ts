import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it } from 'vitest'
import { initJson } from '../../src/answers/json/init.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'

let database: TestDatabase
let place: Workspace

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(`
    CREATE SCHEMA geo;
    CREATE TABLE geo.city (id bigint PRIMARY KEY, name text);
    CREATE TABLE city (id bigint PRIMARY KEY);
    CREATE TABLE "it's Odd.ly named" ("The Id" uuid PRIMARY KEY);
    CREATE TABLE account (id int PRIMARY KEY, name text, password_hash text, "resetToken" text);
    CREATE TABLE log (message text);
    CREATE TABLE session (token uuid PRIMARY KEY);
    CREATE TABLE reading (at date NOT NULL, sensor int NOT NULL, v float8, PRIMARY KEY (at, sensor)) PARTITION BY RANGE (at);
    CREATE TABLE reading_2026 PARTITION OF reading FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE schema_migrations (version text PRIMARY KEY);
    CREATE VIEW cities AS SELECT * FROM city`)
})
afterAll(() => database.drop())

beforeEach(async () => {
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: 'http://127.0.0.1:1' })
})
afterEach(() => place.remove())

const proposed = `// What Elasticsearch should hold. Change it as you like, then put it into effect: sluice install
// Servers come from the environment (DATABASE_URL, ELASTICSEARCH_URL) or from .env.
export default {
  documents: {
    city: {
      table: 'geo.city',
      index: 'city', // the alias that searches use
    },
    // password_hash is left out: its name looks like a secret
    // resetToken is left out: its name looks like a secret
    account: {
      table: 'account',
      index: 'account', // the alias that searches use
      omit: ['password_hash', 'resetToken'],
    },
    public_city: {
      table: 'city',
      index: 'public_city', // the alias that searches use
    },
    it_s_odd_ly_named: {
      table: "\\"it's Odd.ly named\\"",
      index: 'it_s_odd_ly_named', // the alias that searches use
    },
    reading: {
      table: 'reading',
      index: 'reading', // the alias that searches use
    },

    // log is left out: log has no primary key. Add a primary key, or a unique index over columns that are NOT NULL, and state its columns as "id"
    // schema_migrations is left out: a migration tool's own table
    // session is left out: its key, token, looks like a secret, and would be the _id
  },
}
`

it('proposes a document for each table that can be one, and says why the others cannot', async () => {
  const { code, stdout } = await place.sluice(['init'])
  expect(stdout).toBe(
    'Wrote sluice.config.ts: 5 documents, 3 tables left out (the file says why).\n' +
      'Read it, change it, try one document with sluice preview, then: sluice install\n',
  )
  expect(code).toBe(0)
  expect(await readFile(join(place.folder, 'sluice.config.ts'), 'utf8')).toBe(proposed)
})

it('its proposal is a configuration that can be previewed', async () => {
  await place.sluice(['init'])
  await database.pool.query(`INSERT INTO reading VALUES ('2026-05-01', 7, 1.5) ON CONFLICT DO NOTHING`)
  const { code, value } = await place.json(['preview', 'reading', '2026-05-01:7'])
  expect(value).toMatchObject({ from: 'configuration', document: { at: '2026-05-01', sensor: 7, v: 1.5 } })
  expect(code).toBe(0)
})

it('--stdout prints it and writes nothing', async () => {
  const { stdout } = await place.sluice(['init', '--stdout'])
  expect(stdout).toBe(proposed)
  expect(await readdir(place.folder)).toEqual([])
})

it('--json has the text and what was left out', async () => {
  const { value } = await place.json(['init', '--stdout'])
  const { file, text, documents, skipped } = initJson.parse(value)
  expect({ file, text, documents }).toEqual({
    file: null,
    text: proposed,
    documents: ['city', 'account', 'public_city', 'it_s_odd_ly_named', 'reading'],
  })
  expect(skipped.map(({ table }) => table)).toEqual(['log', 'schema_migrations', 'session'])
})

it('says which columns hold what no index takes, by a look at some rows and at the statistics', async () => {
  await database.pool.query(`
    CREATE SCHEMA odd;
    CREATE TABLE odd.price (id int PRIMARY KEY, valid_to date, spans timestamptz[], rate float8, cost numeric, fine date,
                            raw json, secret_until date);
    INSERT INTO odd.price VALUES
      (1, 'infinity', '{-infinity}', 'NaN', 'Infinity', '2026-01-01', '{"a": 1, "a": 2}', 'infinity');
    INSERT INTO odd.price (id) VALUES (2);
    -- Behind the first thousand rows, where only the statistics see it.
    CREATE TABLE odd.stay (id int PRIMARY KEY, till timestamptz);
    INSERT INTO odd.stay SELECT n, CASE WHEN n > 3000 THEN 'infinity' ELSE now() END::timestamptz FROM generate_series(1, 4000) n;
    ANALYZE odd.stay`)
  try {
    const { code, stdout, stderr } = await place.sluice(['init'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const date = 'infinity, before the year 1, or after the year 9999: Elasticsearch has no such date'
    const number = 'NaN or infinite: Elasticsearch has no such number'
    // Postgres 15 cannot say it.
    const seesJson = inject('postgresVersion') >= 16
    const told = [
      ...stdout.matchAll(/^ {2}(\S+): in some rows it is (.*)\. They would be dead letters/gm),
    ].map(([, where, what]) => [where, what])
    expect(told).toEqual([
      ['price.valid_to', date],
      ['price.spans', date],
      ['price.rate', number],
      ['price.cost', number],
      ...(seesJson
        ? [['price.raw', 'JSON in which a name stands twice: Elasticsearch refuses a duplicate field']]
        : []),
      ['stay.till', date],
    ])
    const text = await readFile(join(place.folder, 'sluice.config.ts'), 'utf8')
    expect(text).toContain(`    // valid_to: in some rows it is ${date}.`)
    expect(initJson.parse((await place.json(['init', '--stdout'])).value).remarks).toHaveLength(told.length)
  } finally {
    await database.pool.query('DROP SCHEMA odd CASCADE')
  }
})

it('replaces a file only with --force', async () => {
  await place.write('sluice.config.ts', 'export default { documents: {} }')
  const refused = await place.sluice(['init'])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain(
    'sluice.config.ts: there is a configuration already\n  → sluice init --force',
  )
  expect(await readFile(join(place.folder, 'sluice.config.ts'), 'utf8')).toBe(
    'export default { documents: {} }',
  )
  expect((await place.sluice(['init', '--force'])).code).toBe(0)
  expect(await readFile(join(place.folder, 'sluice.config.ts'), 'utf8')).toBe(proposed)
})

it('never makes a second configuration', async () => {
  await place.write('sluice.config.json', '{"documents":{}}')
  const { code, stderr } = await place.sluice(['init', '--force'])
  expect(code).toBe(2)
  expect(stderr).toContain('sluice.config.json: there is a configuration already')
})

it('writes a module where the package is CommonJS', async () => {
  await place.write('package.json', '{ "type": "commonjs" }')
  expect((await place.sluice(['init'])).stdout).toContain('Wrote sluice.config.mts')
  expect((await place.json(['preview', 'city', '1'])).value).toMatchObject({
    address: { index: 'city', id: '1' },
  })
})
