import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DocumentPlan } from '../../src/documents/types.ts'
import {
  type TestDatabase,
  type TestElasticsearch,
  testDatabase,
  testElasticsearch,
} from '../support/context.ts'
import { derivedRows, statedRows } from '../unit/documents-page.ts'
import { createExampleTable, createExampleTypes } from './documents-examples.ts'
import { installView, readView } from './documents-fixture.ts'
import { CITY, GEO } from './relations-fixture.ts'

let database: TestDatabase
let search: TestElasticsearch
beforeAll(async () => {
  database = await testDatabase()
  search = testElasticsearch()
  await createExampleTypes(database.pool)
})
afterAll(async () => {
  await search.drop()
  await database.drop()
})

/** Creates an index as the plan has it, and indexes all rows of the view. Returns the answers' results, or errors. */
async function indexAll(plan: DocumentPlan): Promise<unknown[]> {
  const index = `${search.prefix}${plan.document}`
  const created = await search.request('PUT', `/${index}`, {
    mappings: plan.mappings,
    settings: plan.settings,
  })
  expect(created).toMatchObject({ acknowledged: true })
  const results: unknown[] = []
  for (const { key, document } of await readView(database.pool, plan)) {
    const answer = await fetch(new URL(`/${index}/_doc/${key}`, search.url), {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: document,
    })
    const { result, error } = (await answer.json()) as { result?: unknown; error?: unknown }
    results.push(result ?? error)
  }
  return results
}

describe('Elasticsearch takes', () => {
  it('every derived mapping, its example, and null', async () => {
    await createExampleTable(database.pool, 'derived', derivedRows)
    const plan = await installView(database.pool, { table: 'derived' }, 'derived')
    expect(await indexAll(plan)).toEqual(['created', 'created'])
  })

  it('every stated mapping, its example, and null', async () => {
    await createExampleTable(database.pool, 'stated', statedRows)
    const properties = Object.fromEntries(statedRows.map(({ field }, n) => [`c${n}`, { type: field }]))
    const plan = await installView(database.pool, { table: 'stated', mappings: { properties } }, 'stated')
    expect(await indexAll(plan)).toEqual(['created', 'created'])
  })

  it('arrays, extremes, and JSON of any shape', async () => {
    await database.pool.query(`CREATE TABLE extreme (id int PRIMARY KEY, i2 int2[], i8 int8[], f4 real, f8 float8, n numeric, d date[],
        at timestamptz[], t text, c bpchar, b bytea, j jsonb, js json[], r int4range, nr numrange, tr tstzrange, v varbit, box box, a inet[]);
      INSERT INTO extreme VALUES
        (1, '{-32768,32767}', '{-9223372036854775808,9223372036854775807}', '3.4028235e38', '1.7976931348623157e308', 1e300,
         '{0001-01-01,9999-12-31}', '{0001-01-01 00:00+00,9999-12-31 23:59:59.999999+00}', repeat('x', 100000), repeat('ü', 100000),
         decode(repeat('ab', 1000), 'hex'), '[1, {"a": {"b": []}}, null]', ARRAY['1', '"x"', '{"a":1}']::json[], '(,)', '(,)', '(,)',
         repeat('1', 100000)::varbit, '(1,2),(3,4)', '{10.0.0.0/8,::1}'),
        (2, '{}', '{NULL}', '1.4e-45', '5e-324', -1e-300, '{}', '{}', '', '', '', '"text"', '{}', 'empty', 'empty', '(-infinity,infinity)', '', NULL, '{}'),
        (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, E'\\t"\\\\', NULL, NULL, '5', NULL, '[2147483646,2147483646]', '[1,1]', '[2024-01-01,2024-01-01]', NULL, NULL, NULL)`)
    const plan = await installView(database.pool, { table: 'extreme' }, 'extreme')
    expect(await indexAll(plan)).toEqual(['created', 'created', 'created'])
  })

  it('related rows: objects, values, and nested ones that are found one by one', async () => {
    await database.pool.query(GEO)
    const plan = await installView(database.pool, CITY, 'city')
    expect(await indexAll(plan)).toEqual(['created', 'created', 'created', 'created'])
    await search.request('POST', `/${search.prefix}city/_refresh`)
    const found = async (slug: string, author: string) => {
      const same = [{ match: { 'reviews.slug': slug } }, { match: { 'reviews.author.name': author } }]
      const query = { nested: { path: 'reviews', query: { bool: { must: same } } } }
      const answer = await search.request('POST', `/${search.prefix}city/_count`, { query })
      return (answer as { count?: unknown }).count
    }
    // Both are reviews of one city, and of different authors.
    expect(await found('FINE', 'Bob')).toBe(1)
    expect(await found('FINE', 'Ada')).toBe(0)
  })

  it('two columns as one geo_point, half a one included', async () => {
    await database.pool.query(`CREATE TABLE place (id int PRIMARY KEY, lat float8, lng float8);
      INSERT INTO place VALUES (1, 47, 8), (2, 47, NULL), (3, NULL, NULL)`)
    const plan = await installView(
      database.pool,
      {
        table: 'place',
        fields: { 'place.lat': 'lat', 'place.lon': 'lng' },
        mappings: { properties: { place: { type: 'geo_point' } } },
      },
      'place',
    )
    expect(await indexAll(plan)).toEqual(['created', 'created', 'created'])
  })
})
