import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { installView, load, OTHER_SETTINGS } from './documents-fixture.ts'
import { CITY, documents, expand, GEO, installLinks } from './relations-fixture.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(GEO)
})
afterAll(() => database.drop())

describe('a document of many tables', () => {
  let plan: DocumentPlan
  beforeAll(async () => {
    plan = await installView(database.pool, CITY, 'city')
    await installLinks(database.pool, plan)
  })

  it('holds one object or null, arrays of objects or of values, to any depth', async () => {
    const found = await documents(database.pool, plan, ['1', '2', '3', '4', '5', '6'])
    expect(found).toEqual({
      1: {
        id: 1,
        name: { full: 'Zürich' },
        country: { code: 'CH', since: '1291-08-01', continent: 'Europe' },
        reviews: [
          { id: 12, at: '2024-03-03T00:00:00Z', slug: 'FINE', author: { name: 'Bob', home: null } },
          {
            id: 10,
            at: '2024-03-01T08:00:00Z',
            slug: 'GOOD',
            author: { name: 'Ada', home: { name: 'Japan' } },
          },
        ],
        languages: ['Deutsch', 'Français'],
        parent: null,
        parts: [{ id: 2, within: { name: 'Zürich' } }],
        visits: [
          { day: '2023-05-01', people: 10 },
          { day: '2024-05-01', people: 20 },
        ],
      },
      2: {
        id: 2,
        name: { full: 'Altstadt' },
        country: { code: 'CH', since: '1291-08-01', continent: 'Europe' },
        reviews: [],
        languages: ['Deutsch', 'Français'],
        parent: { name: 'Zürich' },
        parts: [],
        visits: [],
      },
      3: {
        id: 3,
        name: { full: 'Tokyo' },
        country: { code: 'JP', since: null, continent: 'Asia' },
        reviews: [
          {
            id: 14,
            at: '2024-03-05T00:00:00Z',
            slug: null,
            author: { name: 'Ada', home: { name: 'Japan' } },
          },
        ],
        languages: ['Japanese'],
        parent: null,
        parts: [],
        visits: [{ day: '2024-06-01', people: 30 }],
      },
      4: {
        id: 4,
        name: { full: 'Atlantis' },
        country: null,
        reviews: [],
        languages: [],
        parent: null,
        parts: [],
        visits: [],
      },
    })
  })

  it('says the same whatever the session is set to', async () => {
    const client = await database.pool.connect()
    try {
      const before = await load(database.pool, plan, ['1', '3'])
      await client.query(OTHER_SETTINGS)
      expect(await load(client, plan, ['1', '3'])).toEqual(before)
    } finally {
      client.release(true)
    }
  })

  it('has text without line breaks between the rows', async () => {
    const [city] = await load(database.pool, plan, ['1'])
    expect(city?.document).not.toContain('\n')
  })

  it('is mapped as its columns are, strictly', () => {
    const text = { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 1024 } } }
    expect(plan.mappings).toEqual({
      dynamic: 'strict',
      properties: {
        id: { type: 'integer' },
        name: { properties: { full: text } },
        country: {
          properties: {
            code: { type: 'keyword', ignore_above: 8191 },
            since: { type: 'date' },
            continent: text,
          },
        },
        reviews: {
          type: 'nested',
          properties: {
            id: { type: 'integer' },
            at: { type: 'date' },
            slug: text,
            author: { properties: { name: text, home: { properties: { name: text } } } },
          },
        },
        languages: text,
        parent: { properties: { name: text } },
        parts: { properties: { id: { type: 'integer' }, within: { properties: { name: text } } } },
        visits: { properties: { day: { type: 'date' }, people: { type: 'integer' } } },
      },
    })
  })

  it('names the indexes that are not there', () => {
    const at = 'documents.city.relations'
    expect(plan.missingIndexes).toMatchObject([
      {
        table: { schema: 'geo', name: 'country' },
        columns: ['continent'],
        why: 'each change of geo.continent',
        sql: 'CREATE INDEX CONCURRENTLY ON geo.country (continent)',
      },
      { sql: 'CREATE INDEX CONCURRENTLY ON geo.author (country_code)' },
    ])
    expect(plan.warnings).toEqual([
      `${at}.country.relations.continent: no index on geo.country (continent): each change of geo.continent reads the whole table. CREATE INDEX CONCURRENTLY ON geo.country (continent)`,
      `${at}.reviews.relations.author.relations.home: no index on geo.author (country_code): each change of geo.country reads the whole table. CREATE INDEX CONCURRENTLY ON geo.author (country_code)`,
    ])
  })

  it.each<[source: string, values: (string | null)[], keys: string[]]>([
    ['country', ['CH'], ['1', '2']],
    ['country', ['XX'], []],
    ['country', [null], []],
    ['country.continent', ['EU'], ['1', '2']],
    ['reviews', ['1'], ['1']],
    ['reviews', ['5'], []],
    ['reviews.author', ['7'], ['1', '3']],
    // A review that is not approved counts: it may have been until now.
    ['reviews.author', ['8'], ['1', '1']],
    ['reviews.author', ['9000000000'], []],
    ['reviews.author.home', ['JP'], ['1', '3']],
    ['languages', ['de'], ['1', '2']],
    ['languages:through', ['CH'], ['1', '2']],
    ['parent', ['1'], ['2']],
    ['parts', ['1'], ['1']],
    ['parts.within', ['1'], ['1', '1']],
    ['visits', ['3'], ['3']],
  ])('a mark of %s with %j is for %j', async (source, values, keys) => {
    expect(await expand(database.pool, plan, source, values)).toEqual(keys)
  })

  it('watches every table in each of its parts', () => {
    const watched = plan.sources.map(({ source, table, key, rowKey, usedColumns, compare, capture }) => [
      source,
      table.name,
      key.map(({ name }) => name).join(),
      rowKey.map(({ name }) => name).join(),
      usedColumns.join(),
      compare,
      capture,
    ])
    expect(watched).toEqual([
      ['', 'city', 'id', 'id', 'id,name,country_code,parent_id,active', true, 'statement'],
      ['country', 'country', 'code', 'code', 'code,continent,since', true, 'statement'],
      ['country.continent', 'continent', 'code', 'code', 'code,name', false, 'statement'],
      [
        'reviews',
        'review',
        'city_id',
        'id',
        'id,city_id,author_id,stars,title,at,approved',
        false,
        'statement',
      ],
      ['reviews.author', 'author', 'id', 'id', 'id,name,country_code', false, 'statement'],
      ['reviews.author.home', 'country', 'code', 'code', 'code,name', true, 'statement'],
      ['languages', 'language', 'code', 'code', 'code,name', false, 'statement'],
      [
        'languages:through',
        'country_language',
        'country_code',
        'country_code,language',
        'country_code,language',
        false,
        'statement',
      ],
      ['parent', 'city', 'id', 'id', 'id,name', true, 'statement'],
      ['parts', 'city', 'parent_id', 'id', 'id,parent_id,active', true, 'statement'],
      ['parts.within', 'city', 'id', 'id', 'id,name', true, 'statement'],
      ['visits', 'visit', 'city_id', 'city_id,day', 'city_id,day,people', false, 'row'],
    ])
    expect(plan.sources.at(-1)?.leaves.map(({ name }) => name)).toEqual(['visit_2023', 'visit_rest'])
    expect(plan.sources.find(({ source }) => source === 'reviews.author')?.expansion?.links).toEqual([
      'pg_catalog.int8',
    ])
  })
})
