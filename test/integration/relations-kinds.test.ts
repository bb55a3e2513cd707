import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DocumentDefinition } from '../../src/config/types.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { installView, load, planIn } from './documents-fixture.ts'
import { documents, expand, GEO, installRelated } from './relations-fixture.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(GEO)
})
afterAll(() => database.drop())

const sql = (text: string) => database.pool.query(text)
const install = (definition: Omit<DocumentDefinition, 'index'>, name?: string) =>
  installRelated(database.pool, definition, name)

const problemsOf = async (plan: DocumentPlan, keys: readonly string[]) =>
  (await load(database.pool, plan, keys)).map(({ problem }) => problem)

describe('related rows', () => {
  it('take all columns by default, and are in the order of their key', async () => {
    const plan = await install({
      table: 'geo.country',
      fields: ['code'],
      relations: { spoken: { many: 'geo.country_language', relations: { as: { one: 'geo.language' } } } },
    })
    expect(await documents(database.pool, plan, ['CH'])).toEqual({
      CH: {
        code: 'CH',
        spoken: [
          { country_code: 'CH', language: 'de', as: { code: 'de', name: 'Deutsch' } },
          { country_code: 'CH', language: 'fr', as: { code: 'fr', name: 'Français' } },
        ],
      },
    })
  })

  it('are found by a foreign key of theirs where it is unique', async () => {
    await sql(`CREATE TABLE account (id int PRIMARY KEY);
      CREATE TABLE profile (id int PRIMARY KEY, account_id int UNIQUE REFERENCES account, motto text);
      INSERT INTO account VALUES (1), (2); INSERT INTO profile VALUES (5, 1, 'm'), (6, NULL, 'n')`)
    const plan = await install({
      table: 'account',
      relations: { profile: { one: 'profile', flatten: 'motto' } },
    })
    expect(await documents(database.pool, plan, ['1', '2'])).toEqual({
      1: { id: 1, profile: 'm' },
      2: { id: 2, profile: null },
    })
    expect(plan.sources[1]?.key).toEqual([{ name: 'account_id', type: 'pg_catalog.int4' }])
    expect(await expand(database.pool, plan, 'profile', ['2'])).toEqual(['2'])
  })

  it('link whole numbers of different sizes, whatever value a mark carries', async () => {
    await sql(`CREATE TABLE maker (id bigint PRIMARY KEY, name text);
      CREATE TABLE ware (id int PRIMARY KEY, maker_id int); CREATE INDEX ON ware (maker_id);
      INSERT INTO maker VALUES (1, 'one'), (9000000000, 'far'); INSERT INTO ware VALUES (1, 1)`)
    const plan = await install({
      table: 'ware',
      fields: ['id'],
      relations: { maker: { one: 'maker', on: { maker_id: 'id' }, fields: ['name'] } },
    })
    expect(await documents(database.pool, plan, ['1'])).toEqual({ 1: { id: 1, maker: { name: 'one' } } })
    expect(await expand(database.pool, plan, 'maker', ['9000000000'])).toEqual([])
    expect(await expand(database.pool, plan, 'maker', ['1'])).toEqual(['1'])
  })

  it('link texts of different collations as their foreign key does', async () => {
    await sql(`CREATE TABLE label (code text COLLATE "C" PRIMARY KEY, name text);
      CREATE TABLE bottle (id int PRIMARY KEY, label text COLLATE "en-x-icu" REFERENCES label);
      INSERT INTO label VALUES ('a', 'A'); INSERT INTO bottle VALUES (1, 'a'), (2, NULL)`)
    const up = await install({
      table: 'bottle',
      fields: ['id'],
      relations: { label: { one: 'label', flatten: 'name' } },
    })
    expect(await documents(database.pool, up, ['1', '2'])).toEqual({
      1: { id: 1, label: 'A' },
      2: { id: 2, label: null },
    })
    const down = await install({
      table: 'label',
      fields: ['code'],
      relations: { bottles: { many: 'bottle', fields: ['id'], relations: { label: { one: 'label' } } } },
    })
    expect(await documents(database.pool, down, ['a'])).toMatchObject({ a: { bottles: [{ id: 1 }] } })
    expect(await expand(database.pool, down, 'bottles.label', ['a'])).toEqual(['a'])
  })

  it('without a key have an order all the same, and each change of them counts', async () => {
    await sql(`CREATE TABLE box (id int PRIMARY KEY);
      CREATE TABLE thing (box_id int REFERENCES box, label text, hidden text, at timestamptz);
      INSERT INTO box VALUES (1);
      INSERT INTO thing VALUES (1, 'b', 'x', NULL), (1, 'a', 'y', '2024-01-01 00:00+00'), (1, NULL, 'z', NULL)`)
    const plan = await install({
      table: 'box',
      relations: { things: { many: 'thing', fields: ['label', 'at'], orderBy: 'label', limit: 2 } },
    })
    expect(await documents(database.pool, plan, ['1'])).toEqual({
      1: {
        id: 1,
        things: [
          { label: 'a', at: '2024-01-01T00:00:00Z' },
          { label: 'b', at: null },
        ],
      },
    })
    expect(plan.sources[1]).toMatchObject({
      rowKey: [],
      compare: false,
      usedColumns: ['box_id', 'label', 'at'],
    })
  })

  it('are cut off after ordering, and only the rest is looked up further', async () => {
    const plan = await install({
      table: 'geo.country',
      fields: ['code'],
      relations: {
        cities: {
          many: 'geo.city',
          where: 'active',
          fields: ['name'],
          orderBy: ['name desc'],
          limit: 1,
          relations: { reviews: { many: 'geo.review', flatten: 'stars', orderBy: 'at desc', limit: 2 } },
        },
      },
    })
    expect(await documents(database.pool, plan, ['CH', 'JP', 'XX'])).toEqual({
      CH: { code: 'CH', cities: [{ name: 'Zürich', reviews: [4, 5] }] },
      JP: { code: 'JP', cities: [{ name: 'Tokyo', reviews: [null] }] },
      XX: { code: 'XX', cities: [] },
    })
  })

  it('of many to many take both links from foreign keys, a condition, an order and a limit', async () => {
    const plan = await install({
      table: 'geo.country',
      fields: ['code'],
      relations: {
        languages: {
          many: 'geo.language',
          through: { table: 'geo.country_language' },
          where: "name <> 'Klingon'",
          orderBy: 'name desc',
          limit: 1,
          fields: ['name'],
          relations: {
            countries: { many: 'geo.country', through: { table: 'geo.country_language' }, flatten: 'name' },
          },
        },
      },
    })
    expect(await documents(database.pool, plan, ['CH', 'XX'])).toEqual({
      CH: { code: 'CH', languages: [{ name: 'Français', countries: ['Schweiz'] }] },
      XX: { code: 'XX', languages: [] },
    })
    expect(await expand(database.pool, plan, 'languages.countries', ['JP'])).toEqual(['JP'])
    expect(await expand(database.pool, plan, 'languages.countries', ['CH'])).toEqual(['CH', 'CH'])
    expect(await expand(database.pool, plan, 'languages.countries:through', ['fr'])).toEqual(['CH'])
  })

  it('hang together by several columns', async () => {
    await sql(`CREATE TABLE area (land text, no int, name text, PRIMARY KEY (land, no));
      CREATE TABLE shop (id int, land text, area_no int, chain varchar(9), PRIMARY KEY (id, land), FOREIGN KEY (land, area_no) REFERENCES area);
      CREATE INDEX ON shop (area_no, land);
      INSERT INTO area VALUES ('ch', 1, 'one'), ('ch', 2, 'two');
      INSERT INTO shop VALUES (1, 'ch', 2, 'x'), (2, 'ch', NULL, 'y')`)
    const plan = await install({ table: 'shop', relations: { area: { one: 'area', fields: ['name'] } } })
    expect(await documents(database.pool, plan, ['["1", "ch"]', '["2", "ch"]'])).toMatchObject({
      '["1", "ch"]': { area: { name: 'two' } },
      '["2", "ch"]': { area: null },
    })
    expect(await expand(database.pool, plan, 'area', ['ch', '2'])).toEqual(['["1", "ch"]'])
    expect(plan.missingIndexes).toEqual([])
  })
})

describe('what a related row holds', () => {
  beforeAll(() =>
    sql(`CREATE TABLE plant (id int PRIMARY KEY, seen date);
      CREATE TABLE sighting (id int PRIMARY KEY, plant_id int REFERENCES plant, at timestamptz, size float8, ip inet, lat float8, lon float8);
      CREATE TABLE witness (id int PRIMARY KEY, sighting_id int REFERENCES sighting, born date);
      INSERT INTO plant VALUES (1, '2024-01-01'), (2, 'infinity'), (3, '2024-01-01'), (4, '2024-01-01');
      INSERT INTO sighting VALUES (1, 1, '2024-01-01 00:00+00', 1, '10.0.0.1/8', 1, 2), (2, 2, 'infinity', 1, NULL, 1, NULL),
        (3, 3, '2024-01-01 00:00+00', 1, NULL, NULL, NULL), (4, 4, 'infinity', 'NaN', NULL, NULL, NULL), (5, 4, NULL, 0, NULL, NULL, NULL);
      INSERT INTO witness VALUES (1, 3, '0044-03-15 BC'), (2, 3, '2000-01-01')`),
  )
  const sightings = {
    many: 'sighting',
    fields: { at: 'at', size: 'size', ip: 'ip', 'place.lat': 'lat', 'place.lon': 'lon' },
    relations: { witnesses: { many: 'witness', flatten: 'born' } },
  } as const

  it('is a problem of the document, named by its path', async () => {
    const plan = await install({ table: 'plant', relations: { sightings } })
    const problems = await problemsOf(plan, ['1', '2', '3', '4'])
    expect(problems).toEqual([
      null,
      expect.stringContaining('field "seen" is infinity'),
      expect.stringContaining('field "sightings.witnesses" is infinity, before the year 1'),
      expect.stringContaining('field "sightings.at" is infinity'),
    ])
  })

  it('is no problem where it is left out by a condition or a limit', async () => {
    const finite = { ...sightings, where: "at < 'infinity'", relations: {} }
    const limited = { ...sightings, orderBy: 'id desc', limit: 1, relations: {} }
    for (const relation of [finite, limited]) {
      const plan = await install({ table: 'plant', fields: ['id'], relations: { sightings: relation } })
      expect(await problemsOf(plan, ['4'])).toEqual([null])
    }
  })

  it('is written as the configuration maps it, at any depth', async () => {
    const stated = {
      properties: {
        sightings: {
          properties: {
            ip: { type: 'ip' },
            place: { type: 'geo_point' },
            at: { type: 'keyword' },
            witnesses: { type: 'keyword' },
          },
        },
      },
    }
    const plan = await install({ table: 'plant', fields: ['id'], relations: { sightings }, mappings: stated })
    expect(plan.mappings).toMatchObject({
      dynamic: 'strict',
      properties: { sightings: { properties: { size: { type: 'double' }, ip: { type: 'ip' } } } },
    })
    expect(plan.warnings.filter((text) => text.includes('mappings'))).toEqual([])
    expect(await documents(database.pool, plan, ['1', '2', '3'])).toMatchObject({
      1: { sightings: [{ ip: '10.0.0.1', place: { lat: 1, lon: 2 }, size: 1, witnesses: [] }] },
      2: { sightings: [{ at: 'infinity', place: null }] },
      3: { sightings: [{ witnesses: ['0044-03-15 BC', '2000-01-01'] }] },
    })
    // A keyword holds any date.
    expect(await problemsOf(plan, ['2', '3'])).toEqual([null, null])
  })

  it('is not what a name says that no field has', async () => {
    const mappings = { properties: { sightings: { properties: { sise: { type: 'float' } } } } }
    const plan = await planIn(database.pool, { table: 'plant', relations: { sightings }, mappings })
    expect(plan.warnings).toContain(
      'documents.thing.mappings.properties.sightings.properties.sise: the document has no field "sise" (did you mean "size"?)',
    )
  })
})

describe('an address', () => {
  it('is part of the key, found by the id alone, and null where it is', async () => {
    await sql(`CREATE TABLE note (id int PRIMARY KEY, tenant text, at timestamptz, body text);
      INSERT INTO note VALUES (1, 'a', '2024-01-01 00:00+00', 'x'), (2, NULL, NULL, 'y')`)
    const plan = await installView(
      database.pool,
      { table: 'note', index: 'notes-{tenant}', tenant: 'tenant', routing: 'at', fields: ['body'] } as Omit<
        DocumentDefinition,
        'index'
      >,
      'note',
    )
    expect(plan).toMatchObject({ idParts: 1, address: { tenant: 1, routing: 2 }, walkOrder: [0] })
    expect(plan.key.map(({ name }) => name)).toEqual(['id', 'tenant', 'at'])
    const { rows } = await database.pool.query(plan.loadSql, [['1', '2', '3']])
    expect(rows.map(({ key }) => key)).toEqual(['["1", "a", "2024-01-01T00:00:00Z"]', '["2", null, null]'])
    expect(plan.sources[0]).toMatchObject({ usedColumns: ['id', 'tenant', 'at', 'body'], compare: false })
    expect(plan.sources[0]?.rowKey.map(({ name }) => name)).toEqual(['id'])
  })

  it('is what links lead to', async () => {
    const plan = await install({
      table: 'geo.city',
      fields: ['name'],
      routing: 'tenant_id',
      relations: { reviews: { many: 'geo.review', fields: ['stars'] } },
    })
    expect(await expand(database.pool, plan, 'reviews', ['1'])).toEqual(['["1", "a"]'])
    expect(await expand(database.pool, plan, 'reviews', ['4'])).toEqual(['["4", null]'])
  })
})
