import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readableIdentifier } from '../../src/catalog/quote.ts'
import { readCatalog } from '../../src/catalog/read-catalog.ts'
import type { Catalog, Table } from '../../src/catalog/types.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

let database: TestDatabase
let catalog: Catalog
let version: number

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(`
    CREATE SCHEMA geo;
    CREATE SCHEMA "odd ""schema"" ñ";
    CREATE TYPE geo.mood AS ENUM ('good');
    CREATE TYPE geo.pair AS (a int, b text);
    CREATE TYPE geo.floats AS RANGE (subtype = float8);
    CREATE DOMAIN geo.name AS varchar(40) CHECK (VALUE <> '');
    CREATE DOMAIN geo.names AS geo.name[];
    CREATE DOMAIN geo.all_names AS geo.names;

    CREATE TABLE geo.city (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text NOT NULL, country char(2) NOT NULL, alias text,
      dropped int, mood geo.mood, pair geo.pair, floats geo.floats, spans int4multirange, name geo.name, names geo.all_names,
      moods geo.mood[], grid int[][], place point, price numeric(10,2), lower_name text GENERATED ALWAYS AS (lower(code) || country) STORED,
      UNIQUE (country, code) INCLUDE (alias), UNIQUE (alias)
    );
    ALTER TABLE geo.city DROP COLUMN dropped;
    CREATE UNIQUE INDEX city_partial ON geo.city (code) WHERE country = 'CH';
    CREATE UNIQUE INDEX city_expression ON geo.city (lower(code));
    CREATE INDEX city_not_unique ON geo.city (code);
    COMMENT ON TABLE geo.city IS 'All cities';
    INSERT INTO geo.city (code, country) VALUES ('BE', 'CH'), ('ZH', 'CH');

    CREATE TABLE "odd ""schema"" ñ"."select" ("from" int PRIMARY KEY, "a.b" text, "${'x'.repeat(63)}" text, "🙂" text);
    CREATE TABLE keyless (a int);
    CREATE VIEW a_view AS SELECT * FROM keyless;
    CREATE MATERIALIZED VIEW a_snapshot AS SELECT * FROM keyless;
    CREATE UNLOGGED TABLE forgetful (id int PRIMARY KEY);
    CREATE TABLE guarded (id int PRIMARY KEY);
    ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child () INHERITS (parent);
    CREATE FOREIGN DATA WRAPPER nowhere;
    CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
    CREATE FOREIGN TABLE far_away (id int) SERVER far;

    CREATE TABLE event (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE event_2023 PARTITION OF event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
    CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY HASH (id);
    CREATE TABLE geo.event_2024_0 PARTITION OF event_2024 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE event_2024_1 PARTITION OF event_2024 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO event SELECT n, '2023-06-01' FROM generate_series(1, 5) n;
    INSERT INTO event SELECT n, '2024-06-01' FROM generate_series(1, 7) n;
    ANALYZE event_2023, geo.event_2024_0, event_2024_1, geo.city`)
  catalog = await readCatalog(database.pool)
  version = catalog.serverVersion
})
afterAll(() => database.drop())

const table = (schema: string, name: string): Table => {
  const found = catalog.table({ schema, name })
  if (found === undefined) throw new Error(`no table ${schema}.${name}`)
  return found
}
const baseTypes = (name: string) =>
  table('geo', 'city').columns.find((column) => column.name === name)?.baseType

describe('the catalog', () => {
  it('holds the tables of user schemas only', () => {
    expect([...new Set(catalog.tables.map(({ schema }) => schema))].sort()).toEqual([
      'geo',
      'odd "schema" ñ',
      'public',
    ])
    expect(catalog.table({ schema: 'pg_catalog', name: 'pg_class' })).toBeUndefined()
    expect(catalog.table({ schema: 'geo', name: 'nothing' })).toBeUndefined()
  })

  it('knows columns in their order, without dropped ones', () => {
    const { columns, comment, estimatedRows, kind } = table('geo', 'city')
    expect(columns.map(({ name }) => name).slice(0, 5)).toEqual(['id', 'code', 'country', 'alias', 'mood'])
    expect(columns.find(({ name }) => name === 'price')?.type).toBe('numeric(10,2)')
    expect(columns.filter(({ notNull }) => notNull).map(({ name }) => name)).toEqual([
      'id',
      'code',
      'country',
    ])
    expect({ comment, estimatedRows, kind }).toEqual({ comment: 'All cities', estimatedRows: 2, kind: 'r' })
  })

  it('says what a generated column is computed from', () => {
    const column = table('geo', 'city').columns.find(({ name }) => name === 'lower_name')
    expect(column).toMatchObject({ generated: 'stored' })
    expect(column?.generatedFrom.toSorted()).toEqual(['code', 'country'])
  })

  it('knows collations of their own', async () => {
    await database.pool.query('CREATE TABLE collated (a text COLLATE "C", b text, c name, d int)')
    const collated = (await readCatalog(database.pool)).table({ schema: 'public', name: 'collated' })
    expect(collated?.columns.map(({ collation }) => collation)).toEqual([
      'pg_catalog."C"',
      undefined,
      'pg_catalog."C"',
      undefined,
    ])
  })

  it('takes full unique indexes over columns that are not null for keys', () => {
    const { primaryKey, uniqueKeys } = table('geo', 'city')
    expect(primaryKey).toEqual(['id'])
    expect(uniqueKeys).toEqual([['id'], ['country', 'code']])
    expect(table('public', 'keyless')).toMatchObject({ primaryKey: [], uniqueKeys: [] })
  })

  it('resolves domains and arrays in any mixture', () => {
    expect(baseTypes('name')).toEqual({ name: 'varchar', schema: 'pg_catalog', kind: 'base', array: false })
    expect(baseTypes('names')).toEqual({ name: 'varchar', schema: 'pg_catalog', kind: 'base', array: true })
    expect(baseTypes('grid')).toMatchObject({ name: 'int4', array: true })
    expect(baseTypes('place')).toMatchObject({ name: 'point', array: false })
    expect(baseTypes('country')).toMatchObject({ name: 'bpchar', array: false })
  })

  it('tells enums, composites and ranges', () => {
    expect(baseTypes('mood')).toEqual({ name: 'mood', schema: 'geo', kind: 'enum', array: false })
    expect(baseTypes('moods')).toEqual({ name: 'mood', schema: 'geo', kind: 'enum', array: true })
    expect(baseTypes('pair')?.kind).toBe('composite')
    expect(baseTypes('floats')?.kind).toBe('range')
    expect(baseTypes('spans')?.kind).toBe('multirange')
  })

  it('keeps odd names as they are', () => {
    const odd = table('odd "schema" ñ', 'select')
    expect(odd.columns.map(({ name }) => name)).toEqual(['from', 'a.b', 'x'.repeat(63), '🙂'])
    expect(odd.primaryKey).toEqual(['from'])
  })

  it('knows what kind of table it is', () => {
    const kinds = ['keyless', 'a_view', 'a_snapshot', 'far_away', 'event'].map(
      (name) => table('public', name).kind,
    )
    expect(kinds).toEqual(['r', 'v', 'm', 'f', 'p'])
    expect(table('public', 'forgetful').unlogged).toBe(true)
    expect(table('public', 'guarded').rowSecurity).toBe(true)
    expect(
      ['parent', 'child', 'event', 'event_2023', 'keyless'].map((name) => table('public', name).inherits),
    ).toEqual([true, true, false, false, false])
  })

  it('knows leaf partitions at any depth', () => {
    const event = table('public', 'event')
    expect(event.leaves).toEqual([
      { schema: 'geo', name: 'event_2024_0' },
      { schema: 'public', name: 'event_2023' },
      { schema: 'public', name: 'event_2024_1' },
    ])
    expect(event.estimatedRows).toBe(12)
    expect(event.partitionOf).toBeNull()
    expect(table('geo', 'event_2024_0').partitionOf).toEqual({ schema: 'public', name: 'event_2024' })
    expect(table('public', 'event_2023')).toMatchObject({ kind: 'r', leaves: [], inherits: false })
  })

  it('knows foreign keys, to itself and of partitioned tables too', async () => {
    await database.pool.query(`
      CREATE TABLE node (id int PRIMARY KEY, parent int CONSTRAINT up REFERENCES node);
      CREATE TABLE visit (id int, event_id int, event_at date, node int CONSTRAINT visit_node REFERENCES node,
        CONSTRAINT visit_event FOREIGN KEY (event_at, event_id) REFERENCES event (at, id)) PARTITION BY HASH (id);
      CREATE TABLE visit_0 PARTITION OF visit FOR VALUES WITH (MODULUS 1, REMAINDER 0)`)
    const read = await readCatalog(database.pool)
    const keys = (name: string) => read.table({ schema: 'public', name })?.foreignKeys
    const node = { schema: 'public', name: 'node' }
    expect(keys('node')).toEqual([{ name: 'up', columns: ['parent'], table: node, there: ['id'] }])
    expect(keys('visit')).toEqual([
      {
        name: 'visit_event',
        columns: ['event_at', 'event_id'],
        table: { schema: 'public', name: 'event' },
        there: ['at', 'id'],
      },
      { name: 'visit_node', columns: ['node'], table: node, there: ['id'] },
    ])
    expect(table('public', 'keyless').foreignKeys).toEqual([])
  })

  it('leaves out foreign keys with a PERIOD, which link by more than equality (Postgres 18)', async () => {
    if (version < 180000) return
    await database.pool.query(`
      CREATE TABLE lease (id int4range, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
      CREATE TABLE rent (id int4range, during daterange, FOREIGN KEY (id, PERIOD during) REFERENCES lease (id, PERIOD during))`)
    expect((await readCatalog(database.pool)).table({ schema: 'public', name: 'rent' })?.foreignKeys).toEqual(
      [],
    )
  })

  it('knows the indexes that find rows by columns, up to the first expression', async () => {
    const { indexes } = table('geo', 'city')
    expect(indexes).toEqual([
      { columns: ['id'], unique: true },
      { columns: ['country', 'code'], unique: true },
      { columns: ['alias'], unique: true },
      { columns: ['code'], unique: false },
    ])
    await database.pool.query(`
      CREATE TABLE indexed (a int, b text, c int);
      CREATE UNIQUE INDEX ON indexed (a, lower(b), c);
      CREATE INDEX ON indexed USING hash (b);
      CREATE INDEX ON indexed USING brin (c)`)
    expect((await readCatalog(database.pool)).table({ schema: 'public', name: 'indexed' })?.indexes).toEqual([
      { columns: ['a'], unique: false },
      { columns: ['b'], unique: false },
    ])
  })

  it('knows tables that a subscription fills', async () => {
    await database.pool.query(`CREATE TABLE replicated (id int PRIMARY KEY);
      CREATE SUBSCRIPTION far CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)`)
    const subscribed = async () =>
      (await readCatalog(database.pool)).table({ schema: 'public', name: 'replicated' })?.subscribed
    try {
      expect(await subscribed()).toBe(false)
      // What a REFRESH PUBLICATION writes when the publisher answers.
      await database.pool.query(`INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate)
        SELECT oid, 'replicated'::regclass, 'r' FROM pg_subscription WHERE subname = 'far'`)
      expect(await subscribed()).toBe(true)
    } finally {
      await database.pool.query('DROP SUBSCRIPTION far')
    }
  })

  it('trusts no index that is being built, or was left invalid', async () => {
    await database.pool.query(`CREATE TABLE doubled (id int NOT NULL); INSERT INTO doubled VALUES (1), (1)`)
    await expect(database.pool.query('CREATE UNIQUE INDEX CONCURRENTLY ON doubled (id)')).rejects.toThrow(
      /duplicate|unique/,
    )
    expect(
      (await readCatalog(database.pool)).table({ schema: 'public', name: 'doubled' })?.uniqueKeys,
    ).toEqual([])
  })

  it('knows virtual generated columns, and constraints that are not validated (Postgres 18)', async () => {
    if (version < 180000) return
    await database.pool.query(`
      CREATE TABLE modern (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) VIRTUAL, b int UNIQUE);
      INSERT INTO modern VALUES (1);
      ALTER TABLE modern ADD CONSTRAINT b_later NOT NULL b NOT VALID`)
    const modern = (await readCatalog(database.pool)).table({ schema: 'public', name: 'modern' })
    expect(modern?.columns.find(({ name }) => name === 'twice')).toMatchObject({
      generated: 'virtual',
      generatedFrom: ['a'],
    })
    expect(modern?.uniqueKeys).toEqual([['id']])
  })
})

it('every word that this server reserves is quoted', async () => {
  const { rows } = await database.pool.query<{ word: string }>(
    `SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')`,
  )
  expect(rows.length).toBeGreaterThan(90)
  expect(rows.filter(({ word }) => readableIdentifier(word) === word)).toEqual([])
})
