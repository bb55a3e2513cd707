import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeKey } from '../../src/documents/keys.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { installView, load, OTHER_SETTINGS, readView } from './documents-fixture.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())

it('encodeKey writes a tuple byte for byte as Postgres prints jsonb_build_array', async () => {
  const part = fc.option(
    fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replaceAll('\0', '')),
  )
  const samples = fc
    .sample(fc.tuple(part, part), 2_000)
    .filter((pair) => pair.every((text) => text?.isWellFormed() ?? true))
  // Every character that any JSON printer might escape in its own way.
  const characters = [...Array(0x300).keys(), 0x2028, 0x2029, 0xd7ff, 0xe000, 0xfeff, 0xffff, 0x1f600].slice(
    1,
  )
  const pairs = [
    ...samples,
    ...characters.map((code): [string, string] => [String.fromCodePoint(code), '"\\/']),
  ]
  const { rows } = await database.pool.query<{ key: string }>(
    `SELECT jsonb_build_array(a, b)::text AS key FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t (a, b, n) ORDER BY n`,
    [pairs.map(([a]) => a), pairs.map(([, b]) => b)],
  )
  expect(rows.map(({ key }) => key)).toEqual(pairs.map((pair) => encodeKey(pair)))
})

describe('a key has one text, whatever the session is set to, and finds its row by it', () => {
  const cases: [type: string, values: [written: string, key: string][]][] = [
    ['bigint', [['-9223372036854775808', '-9223372036854775808']]],
    ['numeric', [['1.50', '1.50']]],
    [
      'text',
      [
        ['', ''],
        ['["a", "b"]', '["a", "b"]'],
        [' ü\n', ' ü\n'],
      ],
    ],
    ['varchar(3)', [['abc', 'abc']]],
    ['char(5)', [['ab', 'ab']]],
    ['"char"', [['x', 'x']]],
    ['name', [['x', 'x']]],
    ['uuid', [['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']]],
    [
      'boolean',
      [
        ['t', 'true'],
        ['f', 'false'],
      ],
    ],
    ['"my schema"."the mood"', [['so so', 'so so']]],
    ['short', [['abc', 'abc']]],
    [
      'date',
      [
        ['2024-02-29', '2024-02-29'],
        ['infinity', 'infinity'],
        ['0044-03-15 BC', '0044-03-15 BC'],
        ['10000-01-01', '10000-01-01'],
      ],
    ],
    [
      'timestamp',
      [
        ['2024-02-29 12:00:00.5', '2024-02-29T12:00:00.5'],
        ['-infinity', '-infinity'],
      ],
    ],
    [
      'timestamptz',
      [
        ['2024-02-29 12:00:00+04', '2024-02-29T08:00:00Z'],
        ['infinity', 'infinity'],
        ['0044-03-15 00:00+00 BC', '0044-03-15T00:00:00 BC'],
        ['10000-01-01 00:00+00', '10000-01-01T00:00:00Z'],
      ],
    ],
    ['time', [['08:00', '08:00:00']]],
    ['bytea', [['\\x00ff5c', '\\x00ff5c']]],
    [
      'inet',
      [
        ['10.0.0.1', '10.0.0.1/32'],
        ['10.0.0.1/8', '10.0.0.1/8'],
      ],
    ],
    ['cidr', [['10.0.0.0/8', '10.0.0.0/8']]],
    ['macaddr', [['08-00-2b-01-02-03', '08:00:2b:01:02:03']]],
    ['oid', [['4294967295', '4294967295']]],
    ['bit(3)', [['101', '101']]],
    ['varbit', [['10', '10']]],
    ['pg_lsn', [['16/B374D848', '16/B374D848']]],
    ['xid8', [['18446744073709551615', '18446744073709551615']]],
  ]

  beforeAll(() =>
    database.pool.query(`CREATE SCHEMA "my schema"; CREATE TYPE "my schema"."the mood" AS ENUM ('so so');
      CREATE DOMAIN short AS varchar(3) CHECK (VALUE <> '')`),
  )

  it.each(cases)('%s', async (type, values) => {
    await database.pool.query(
      `DROP TABLE IF EXISTS keyed CASCADE; CREATE TABLE keyed (k ${type} PRIMARY KEY, v int)`,
    )
    for (const [written] of values) await database.pool.query('INSERT INTO keyed VALUES ($1)', [written])
    const plan = await installView(database.pool, { table: 'keyed', fields: ['v'] })
    const client = await database.pool.connect()
    try {
      const texts = values.map(([, key]) => key).toSorted()
      const sorted = async () => (await readView(client, plan)).map(({ key }) => key).toSorted()
      expect(await sorted()).toEqual(texts)
      await client.query(OTHER_SETTINGS)
      expect(await sorted()).toEqual(texts)
      // Under the loader's time zone, for a date BC has none of its own.
      await client.query("SET timezone = 'UTC'")
      expect((await load(client, plan, texts)).map(({ key }) => key)).toEqual(texts)
    } finally {
      client.release(true)
    }
  })

  it('a text that is too long for the column finds nothing, and does not fail', async () => {
    await database.pool.query(
      'CREATE TABLE brief (k short PRIMARY KEY, n numeric(4,1)); INSERT INTO brief VALUES ($$abc$$)',
    )
    const plan = await installView(database.pool, { table: 'brief' })
    expect(await load(database.pool, plan, ['abcd', '', 'abc'])).toMatchObject([{ n: 3, key: 'abc' }])
  })
})
