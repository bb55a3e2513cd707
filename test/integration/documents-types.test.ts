import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCatalog } from '../../src/catalog/read-catalog.ts'
import { deriveMapping } from '../../src/documents/mapping.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { derivedRows, statedRows } from '../unit/documents-page.ts'
import { createExampleTable, createExampleTypes } from './documents-examples.ts'
import { installView, OTHER_SETTINGS, readView } from './documents-fixture.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await createExampleTypes(database.pool)
})
afterAll(() => database.drop())

/** Text of each member of a JSON object, as Postgres printed it. */
async function members(json: string): Promise<Record<string, string>> {
  const { rows } = await database.pool.query<{ key: string; value: string }>(
    'SELECT key, value::text FROM json_each($1::json)',
    [json],
  )
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]))
}

describe('docs/mappings.md agrees with Postgres', () => {
  it('on the JSON of every type, whatever the session is set to', async () => {
    await createExampleTable(database.pool, 'derived', derivedRows)
    const plan = await installView(database.pool, { table: 'derived' })
    const client = await database.pool.connect()
    try {
      const here = await readView(client, plan)
      await client.query(OTHER_SETTINGS)
      const elsewhere = await readView(client, plan)
      expect(elsewhere).toEqual(here)
      const found = await members(here[0]?.document ?? '')
      const stated = Object.fromEntries(derivedRows.map(({ json }, n) => [`c${n}`, json]))
      expect(found).toEqual({ id: '1', ...stated })
      expect(here.map(({ problem }) => problem)).toEqual([null, null])
      expect(new Set(Object.values(JSON.parse(here[1]?.document ?? '')))).toEqual(new Set([2, null]))
    } finally {
      client.release(true)
    }
  })

  it('on the mapping of every type', async () => {
    const catalog = await readCatalog(database.pool)
    const columns = catalog.table({ schema: 'public', name: 'derived' })?.columns.slice(1) ?? []
    expect(columns.map((column) => JSON.stringify(deriveMapping(column)))).toEqual(
      derivedRows.map(({ field }) => field),
    )
  })

  it('on the JSON of stated types', async () => {
    await createExampleTable(database.pool, 'stated', statedRows)
    const properties = Object.fromEntries(statedRows.map(({ field }, n) => [`c${n}`, { type: field }]))
    const plan = await installView(database.pool, { table: 'stated', mappings: { properties } })
    const [row] = await readView(database.pool, plan)
    const found = await members(row?.document ?? '')
    const stated = Object.fromEntries(statedRows.map(({ json }, n) => [`c${n}`, json]))
    expect(found).toEqual({ id: '1', ...stated })
    expect(row?.problem).toBeNull()
  })
})

it('arrays are lists of their elements, in order, with their nulls', async () => {
  await database.pool.query(`
    CREATE TABLE lists (id int PRIMARY KEY, words text[], numbers int[], times timestamptz[], bytes bytea[], points point[],
      days date[], moods mood[], codes char(4)[], spans interval[], ranges int4range[], names short_texts, pairs pair[]);
    INSERT INTO lists VALUES (1, '{b,NULL,a}', '{{1,2},{3,4}}', '{2024-01-01 00:00+01,NULL}', '{"\\\\x00",NULL}', '{"(1,2)",NULL}',
      '{2024-01-01}', '{"so so",good}', '{a,b}', '{1 day,NULL}', '{"[1,2]",NULL,empty}', '{x}', ARRAY[ROW(1,'a')::pair]);
    INSERT INTO lists VALUES (2)`)
  const plan = await installView(database.pool, { table: 'lists' })
  const [full, empty] = await readView(database.pool, plan)
  expect(JSON.parse(full?.document ?? '')).toEqual({
    id: 1,
    words: ['b', null, 'a'],
    numbers: [
      [1, 2],
      [3, 4],
    ],
    times: ['2023-12-31T23:00:00Z', null],
    bytes: ['AA==', null],
    points: [{ x: 1, y: 2 }, null],
    days: ['2024-01-01'],
    moods: ['so so', 'good'],
    codes: ['a', 'b'],
    spans: ['P0Y0M1DT0H0M0S', null],
    ranges: [{ gte: 1, lt: 3 }, null, null],
    names: ['x'],
    pairs: [{ a: 1, b: 'a' }],
  })
  expect(new Set(Object.values(JSON.parse(empty?.document ?? '')))).toEqual(new Set([2, null]))
})

describe('what Elasticsearch cannot hold is named, field by field', () => {
  const cases: [type: string, values: string[]][] = [
    ['date', ['infinity', '-infinity', '0001-12-31 BC', '10000-01-01']],
    ['timestamp', ['infinity', '-infinity', '0044-03-15 BC', '9999-12-31 23:59:60']],
    [
      'timestamptz',
      ['infinity', '-infinity', '0044-03-15 BC', '10000-01-01 00:00+00', '9999-12-31 23:30-01'],
    ],
    ['numeric', ['NaN', 'Infinity', '-Infinity']],
    ['real', ['NaN', 'Infinity', '-Infinity']],
    ['double precision', ['NaN', 'Infinity', '-Infinity']],
    ['point', ['(NaN,1)', '(1,Infinity)']],
    ['daterange', ['[10000-01-01,)']],
    ['tstzrange', ['[0044-03-15 BC,2024-01-01)']],
    ['date[]', ['{2024-01-01,infinity}']],
    ['tstzmultirange', ['{[2024-01-01,2024-01-02),[10000-01-02,)}']],
  ]
  it.each(cases)('%s', async (type, values) => {
    await database.pool.query(`DROP TABLE IF EXISTS unfit CASCADE;
      CREATE TABLE unfit (id int PRIMARY KEY, "it's" ${type}, other ${type})`)
    const good: Readonly<Record<string, string>> = {
      date: '9999-12-31',
      timestamp: '0001-01-01',
      timestamptz: '9999-12-31 23:59:59.999999+00',
      numeric: '1e300',
      point: '(0,0)',
      daterange: '(-infinity,infinity)',
      tstzrange: '(-infinity,infinity)',
      'date[]': '{0001-01-01,9999-12-31,NULL}',
      tstzmultirange: '{}',
    }
    const inserted: [number, string | null][] = [
      [0, good[type] ?? '0'],
      [1000, null],
      ...values.map((value, n): [number, string] => [n + 1, value]),
    ]
    for (const row of inserted) await database.pool.query('INSERT INTO unfit VALUES ($1, $2)', row)
    const plan = await installView(database.pool, { table: 'unfit' })
    const client = await database.pool.connect()
    try {
      await client.query(OTHER_SETTINGS)
      const rows = await readView(client, plan)
      const problems = Object.fromEntries(rows.map(({ key, problem }) => [key, problem]))
      expect(problems['0']).toBeNull()
      expect(problems['1000']).toBeNull()
      for (const n of values.keys())
        expect(problems[n + 1]).toMatch(/^field "it's" is .* Elasticsearch has no such/)
    } finally {
      client.release(true)
    }
  })

  it('only where the field is a date or a number', async () => {
    await database.pool.query(`CREATE TABLE fit (id int PRIMARY KEY, at timestamptz, n numeric);
      INSERT INTO fit VALUES (1, 'infinity', 'NaN')`)
    const properties = { at: { type: 'keyword' }, n: { type: 'keyword' } }
    const plan = await installView(database.pool, { table: 'fit', mappings: { properties } })
    expect(await readView(database.pool, plan)).toEqual([
      { key: '1', document: '{"id":1,"at":"infinity","n":"NaN"}', problem: null },
    ])
  })
})
