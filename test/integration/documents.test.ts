import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/errors.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { installView, load, planIn, readView } from './documents-fixture.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query('CREATE SCHEMA geo')
})
afterAll(() => database.drop())

const sql = (text: string) => database.pool.query(text)
const parsed = (json: string | undefined) => JSON.parse(json ?? 'null')

describe('the view of a document', () => {
  it('has renamed, nested and computed fields, of the rows that match', async () => {
    await sql(`CREATE TABLE geo.city (id int PRIMARY KEY, name text, lat float8, lng float8, active bool);
      INSERT INTO geo.city VALUES (1, 'Zürich', 47.37, 8.54, true), (2, 'Bern', 46.95, 7.44, false), (3, NULL, NULL, NULL, NULL)`)
    const plan = await installView(database.pool, {
      table: 'geo.city',
      where: 'active -- only these',
      fields: {
        title: 'name',
        'geo.lat': 'lat',
        slug: { sql: 'lower(name) -- slug' },
        'geo.deep.lng': 'lng',
      },
    })
    const rows = await readView(database.pool, plan)
    expect(rows.map(({ key }) => key)).toEqual(['1'])
    expect(rows[0]?.document).toBe(
      '{"title":"Zürich","geo":{"lat":47.37,"deep":{"lng":8.54}},"slug":"zürich"}',
    )
  })

  it('evaluates a condition as a whole', async () => {
    const plan = await installView(database.pool, {
      table: 'geo.city',
      where: 'id = 1 OR id = 2',
      fields: ['name'],
    })
    expect(await load(database.pool, plan, ['1', '2', '3'])).toHaveLength(2)
  })

  it('makes one geo_point of two columns, and none of half a one', async () => {
    await sql(`INSERT INTO geo.city VALUES (4, 'half', 1, NULL)`)
    const plan = await installView(database.pool, {
      table: 'geo.city',
      fields: { 'place.lat': 'lat', 'place.lon': 'lng' },
      mappings: { properties: { place: { type: 'geo_point' } } },
    })
    const rows = await readView(database.pool, plan)
    expect(rows.map(({ document }) => parsed(document).place)).toEqual([
      { lat: 47.37, lon: 8.54 },
      { lat: 46.95, lon: 7.44 },
      null,
      null,
    ])
  })

  it('takes names that need quotes, reserved words, 63 bytes, and columns that look like our own', async () => {
    const long = 'ü'.repeat(31)
    await sql(`CREATE SCHEMA "odd ""schema""";
      CREATE TABLE "odd ""schema"""."select" ("from" int, "a.b" text, "it's" text, "${long}" text, "sluice element" int[],
        o int, key_1 int, document text, value timestamptz[], position int, "select" text, "🙂" text, "\\u0041" text, PRIMARY KEY ("from", "a.b"));
      INSERT INTO "odd ""schema"""."select" VALUES (1, 'x', 'q', 'l', '{1}', 2, 3, 'd', '{2024-01-01 00:00+00}', 4, 's', 'e', 'b')`)
    const plan = await installView(database.pool, {
      table: '"odd ""schema""".select',
      where: `"it's" = 'q' AND position > 0`,
    })
    const [row] = await readView(database.pool, plan)
    expect(row?.key).toBe('["1", "x"]')
    expect(parsed(row?.document)).toEqual({
      from: 1,
      a: { b: 'x' },
      "it's": 'q',
      [long]: 'l',
      'sluice element': [1],
      o: 2,
      key_1: 3,
      document: 'd',
      value: ['2024-01-01T00:00:00Z'],
      position: 4,
      select: 's',
      '🙂': 'e',
      '\\u0041': 'b',
    })
  })

  it('evaluates expressions over arrays and instants as it does columns', async () => {
    await sql(`CREATE TABLE visit (id int PRIMARY KEY, at timestamptz, value text);
      INSERT INTO visit VALUES (1, '2024-01-01 00:00+00', 'v')`)
    const plan = await installView(database.pool, {
      table: 'visit',
      fields: {
        times: { sql: "ARRAY[at, at + interval '1 day']" },
        day: { sql: 'at::date' },
        words: { sql: 'ARRAY[value]' },
      },
    })
    expect(parsed((await readView(database.pool, plan))[0]?.document)).toEqual({
      times: ['2024-01-01T00:00:00Z', '2024-01-02T00:00:00Z'],
      day: '2024-01-01',
      words: ['v'],
    })
    expect(plan.mappings).toMatchObject({ properties: { times: { type: 'date' }, day: { type: 'date' } } })
  })

  it('has a document for a row of hundreds of columns', async () => {
    const columns = Array.from({ length: 300 }, (_, n) => `c${n} int DEFAULT ${n}`)
    await sql(`CREATE TABLE wide (id int PRIMARY KEY, ${columns.join(', ')}); INSERT INTO wide VALUES (1)`)
    const plan = await installView(database.pool, { table: 'wide' })
    expect(Object.keys(parsed((await readView(database.pool, plan))[0]?.document))).toHaveLength(301)
  })
})

describe('an installed view', () => {
  it('follows renames: its fields, keys and queries stay what they were', async () => {
    await sql(
      `CREATE TABLE item (id int PRIMARY KEY, name text, kind text); INSERT INTO item VALUES (1, 'n', 'k')`,
    )
    const plan = await installView(database.pool, { table: 'item', where: "kind = 'k'" })
    const before = await load(database.pool, plan, ['1'])
    await sql(`ALTER TABLE item RENAME COLUMN name TO title; ALTER TABLE item RENAME COLUMN id TO item_id;
      ALTER TABLE item RENAME COLUMN kind TO sort; ALTER TABLE item RENAME TO thing; ALTER TABLE thing SET SCHEMA geo`)
    expect(before).toHaveLength(1)
    expect(await load(database.pool, plan, ['1'])).toEqual(before)
  })

  it('is frozen to the columns it began with, and keeps them from being dropped', async () => {
    await sql('CREATE TABLE frozen (id int PRIMARY KEY, a int, b int); INSERT INTO frozen VALUES (1, 2, 3)')
    const plan = await installView(database.pool, { table: 'frozen', omit: ['b'] }, 'frozen')
    await sql('ALTER TABLE frozen ADD COLUMN c int; ALTER TABLE frozen DROP COLUMN b')
    expect((await readView(database.pool, plan))[0]?.document).toBe('{"id":1,"a":2}')
    await expect(sql('ALTER TABLE frozen DROP COLUMN a')).rejects.toMatchObject({
      code: '2BP01',
      detail: expect.stringContaining('document_frozen'),
    })
  })

  it('reads a partitioned table', async () => {
    await sql(`CREATE TABLE event (id int, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
      CREATE TABLE event_rest PARTITION OF event DEFAULT;
      INSERT INTO event VALUES (1, '2024-06-01 00:00+00'), (1, '2025-06-01 00:00+00')`)
    const plan = await installView(database.pool, { table: 'event' })
    expect(plan.sources[0]).toMatchObject({
      capture: 'row',
      leaves: [
        { schema: 'public', name: 'event_1' },
        { schema: 'public', name: 'event_rest' },
      ],
    })
    const key = '["1", "2025-06-01T00:00:00Z"]'
    expect(await load(database.pool, plan, [key, '["1", "2026-01-01T00:00:00Z"]'])).toEqual([
      { n: 1, key, document: '{"id":1,"at":"2025-06-01T00:00:00Z"}', problem: null },
    ])
  })

  it('reads virtual generated columns, whose base columns are watched (Postgres 18)', async () => {
    const { rows } = await database.pool.query<{ version: number }>(
      "SELECT current_setting('server_version_num')::int AS version",
    )
    if ((rows[0]?.version ?? 0) < 180000) return
    await sql(`CREATE TABLE modern (id int PRIMARY KEY, a int, b int, twice int GENERATED ALWAYS AS (a * 2) VIRTUAL);
      INSERT INTO modern VALUES (1, 21, 0)`)
    const plan = await installView(database.pool, { table: 'modern', fields: ['twice'] })
    expect((await readView(database.pool, plan))[0]?.document).toBe('{"twice":42}')
    expect(plan.sources[0]).toMatchObject({ usedColumns: ['id', 'a'], compare: true })
  })
})

describe('the load query', () => {
  it('answers for each key by its position, and not at all for an absent one', async () => {
    await sql(`CREATE TABLE pair (a text, b int, v text, PRIMARY KEY (a, b));
      INSERT INTO pair VALUES ('x', 1, 'one'), ('y:"', 2, 'two')`)
    const plan = await installView(database.pool, { table: 'pair', fields: ['v'] })
    const keys = ['["y:\\"", "2"]', '["z", "9"]', 'no key', '["x", "1"]', '["x", "1"]']
    expect((await load(database.pool, plan, keys)).map(({ n, document }) => [n, document])).toEqual([
      [1, '{"v":"two"}'],
      [4, '{"v":"one"}'],
      [5, '{"v":"one"}'],
    ])
    expect(await load(database.pool, plan, [])).toEqual([])
  })

  it('shows the text that a row has, where a collation calls another one equal', async () => {
    await sql(`CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE word (w text COLLATE loose PRIMARY KEY); INSERT INTO word VALUES ('Abc')`)
    const plan = await installView(database.pool, { table: 'word' })
    expect(await load(database.pool, plan, ['ABC'])).toMatchObject([{ n: 1, key: 'Abc' }])
  })

  it('takes a plan through JSON', async () => {
    const plan = await planIn(database.pool, {
      table: 'pair',
      where: 'b > 0',
      fields: { x: { sql: 'upper(v)' } },
    })
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
  })
})

it('a definition that the database refuses names the path', async () => {
  const refused = planIn(database.pool, { table: 'pair', fields: { x: { sql: 'uper(v)' } } }, 'pairs')
  await expect(refused).rejects.toThrow(ConfigError)
  await expect(refused).rejects.toThrow(
    /^documents\.pairs\.fields\.x: Postgres refuses "uper\(v\)": function uper\(text\)/,
  )
})
