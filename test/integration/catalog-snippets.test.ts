import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseSnippet } from '../../src/catalog/parse-snippet.ts'
import { readCatalog } from '../../src/catalog/read-catalog.ts'
import type { ParsedSnippet, Table } from '../../src/catalog/types.ts'
import { ConfigError, describeError } from '../../src/errors.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

let database: TestDatabase
let client: pg.PoolClient
let city: Table

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(
    `
    CREATE SCHEMA geo;
    CREATE TABLE geo.city (id int PRIMARY KEY, name text, "Odd ""name"" {VAR :varattno 1}" text, population int, gone int,
      created_at timestamptz, tags text[], attributes jsonb, mood text);
    ALTER TABLE geo.city DROP COLUMN gone;
    CREATE TABLE other (id int PRIMARY KEY);
    CREATE FUNCTION looks_up(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT id::text FROM public.other WHERE id = $1';
    CREATE FUNCTION noisy(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1';
    CREATE OPERATOR ~!~ (LEFTARG = int, RIGHTARG = int, FUNCTION = noisy_pair);`.replace(
      'CREATE OPERATOR',
      `CREATE FUNCTION noisy_pair(int, int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1'; CREATE OPERATOR`,
    ),
  )
  const found = (await readCatalog(database.pool)).table({ schema: 'geo', name: 'city' })
  if (found === undefined) throw new Error('no table')
  city = found
})
afterAll(() => database.drop())
beforeEach(async () => {
  client = await database.pool.connect()
})
afterEach(() => client.release())

const parse = (sql: string): Promise<ParsedSnippet> => parseSnippet(client, city, sql, 'documents.city.where')
const refusal = async (sql: string): Promise<string> => {
  const error = await parse(sql).then(
    () => new Error(`${sql} was not refused`),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return describeError(error)
}
const all = [
  'id',
  'name',
  'Odd "name" {VAR :varattno 1}',
  'population',
  'created_at',
  'tags',
  'attributes',
  'mood',
]

describe('a snippet', () => {
  it.each<[string, string, string[]]>([
    ['lower(name)', 'text', ['name']],
    ['geo.city.name', 'text', ['name']],
    ['city.population > 1000', 'boolean', ['population']],
    ['population BETWEEN id AND 5', 'boolean', ['id', 'population']],
    ['"Odd ""name"" {VAR :varattno 1}"', 'text', ['Odd "name" {VAR :varattno 1}']],
    ["attributes->>'a' = ANY (tags)", 'boolean', ['tags', 'attributes']],
    ['created_at::text', 'text', ['created_at']],
    ["'{SUBLINK :hasAggs true'", 'text', []],
    ['name -- a comment', 'text', ['name']],
    ['name /* a comment */', 'text', ['name']],
    ['to_json(city)', 'json', all],
    ['(city.*) IS NULL', 'boolean', all],
    ['CASE WHEN population > 5 THEN name END', 'text', ['name', 'population']],
  ])('%s is %s and reads %j', async (sql, type, columns) => {
    expect(await parse(sql)).toMatchObject({ sql, type, columns, dependsOnTime: false, warnings: [] })
  })

  it.each([
    'now()',
    'current_date',
    "created_at > now() - interval '1 day'",
    'LOCALTIMESTAMP',
    'age(created_at)',
  ])('%s depends on the time', async (sql) => expect((await parse(sql)).dependsOnTime).toBe(true))

  it('that calls a STABLE function of the user is taken, with a warning', async () => {
    expect((await parse('looks_up(id)')).warnings).toEqual([
      '"looks_up(id)" calls public.looks_up(), which is STABLE: if it reads other tables, their changes leave no mark',
    ])
  })

  it('leaves nothing behind, within a transaction of the caller or without one', async () => {
    const views = async () =>
      (await client.query("SELECT FROM pg_class WHERE relname LIKE 'sluice_snippet%'")).rowCount
    await parse('name')
    expect(await views()).toBe(0)
    await client.query('BEGIN')
    await client.query('INSERT INTO other VALUES (77)')
    await parse('name')
    await refusal('nmae')
    expect(await views()).toBe(0)
    await client.query('COMMIT')
    expect((await client.query('SELECT FROM other WHERE id = 77')).rowCount).toBe(1)
  })
})

describe('a snippet is refused', () => {
  it('with what Postgres says of it, and its hint', async () => {
    expect(await refusal('nmae = 1')).toMatch(
      /^documents\.city\.where: Postgres refuses "nmae = 1": column "nmae" does not exist\n {2}→ Perhaps you meant to reference the column "city\.name"/,
    )
    expect(await refusal('wholly_unknown')).toContain('city has the columns id, name')
    expect(await refusal('name >')).toContain('syntax error')
    expect(await refusal("'abc'::int")).toContain('invalid input syntax')
    expect(await refusal('')).toContain('syntax error')
  })

  it.each([
    '1) AS value FROM other UNION SELECT (2',
    '1) AS value, (2',
    '1) + (2',
    'true) OR (true',
    '1 END, CASE WHEN true THEN 2',
    'name, id',
    '1; DROP TABLE other',
    '1) AS value FROM geo.city; DROP TABLE other; SELECT (1',
    'name /*',
    "name || '",
    'name) AS value FROM geo.city --',
    '$1',
    'other.id',
  ])('when it is more than an expression, or less: %s', async (sql) => {
    await refusal(sql)
    expect((await client.query("SELECT to_regclass('other') AS other")).rows).toEqual([{ other: 'other' }])
  })

  it.each([
    ['random()', 'random(), which is volatile'],
    ['clock_timestamp()', 'clock_timestamp(), which is volatile'],
    ['noisy(id)', 'noisy(), which is volatile'],
    ['id ~!~ id', 'noisy_pair(), which is volatile'],
    ['(SELECT max(id) FROM other)', 'contains a sub-select'],
    ['EXISTS (SELECT FROM other)', 'contains a sub-select'],
    ['SELECT 1', 'contains a sub-select'],
    ['count(*)', 'contains an aggregate'],
    ['row_number() OVER ()', 'contains a window function'],
    ['unnest(tags)', 'contains a set-returning function'],
    ['ctid::text', 'reads a system column'],
    ['tableoid', 'reads a system column'],
    ['current_user', 'contains a session value'],
    ["current_setting('TimeZone')", 'differs between sessions'],
  ])('when it depends on more than its row: %s', async (sql, reason) => {
    expect(await refusal(sql)).toContain(reason)
  })

  it('for want of a right, naming it', async () => {
    const role = `sluice_test_${process.pid}`
    await client.query(
      `CREATE ROLE ${role}; REVOKE TEMPORARY ON DATABASE ${client.database ?? ''} FROM PUBLIC; GRANT USAGE ON SCHEMA geo TO ${role}`,
    )
    try {
      await client.query(`SET ROLE ${role}`)
      expect(await refusal('name')).toMatch(/does not let this role check.*\n.*TEMPORARY/)
    } finally {
      await client.query(
        `RESET ROLE; REVOKE ALL ON SCHEMA geo FROM ${role}; DROP ROLE ${role}; GRANT TEMPORARY ON DATABASE ${client.database ?? ''} TO PUBLIC`,
      )
    }
  })
})
