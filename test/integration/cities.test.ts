import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadCities } from '../../examples/cities/load.ts'
import { describeError } from '../../src/errors.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

let database: TestDatabase
const progress: [number, number][] = []

beforeAll(async () => {
  database = await testDatabase()
  await loadCities(database.url, { onProgress: (done, total) => progress.push([done, total]) })
})
afterAll(() => database.drop())

async function read(sql: string): Promise<unknown[]> {
  return (await database.pool.query(sql)).rows
}

test('all cities are there, with what the packages know of them', async () => {
  expect(await read('SELECT count(*)::int AS cities, min(id)::int, max(id)::int FROM geo.city')).toEqual([
    { cities: 171_075, min: 1, max: 171_075 },
  ])
  expect(await read(`SELECT count(*)::int AS us FROM geo.city WHERE country_code = 'US'`)).toEqual([
    { us: 17_343 },
  ])
  expect(
    await read(`
      SELECT (SELECT count(*)::int FROM geo.region) AS regions, (SELECT count(*)::int FROM geo.district) AS districts,
             count(*) FILTER (WHERE region_id IS NULL)::int AS "without region",
             count(*) FILTER (WHERE district_id IS NULL)::int AS "without district"
      FROM geo.city`),
  ).toEqual([{ regions: 3_865, districts: 47_643, 'without region': 384, 'without district': 25_654 }])
})

test('a city has its place in the world', async () => {
  const rows = await read(`
    SELECT city.id::int, city.name, city.lat, city.lng, city.location, city.active, country.name AS country,
           country.phone_prefixes, region.name AS region, district.name AS district, continent.name AS continent,
           (SELECT array_agg(language.name ORDER BY position) FROM geo.country_language AS link
              JOIN geo.language ON language.code = link.language WHERE link.country_code = country.code) AS languages,
           (SELECT array_agg(currency ORDER BY position) FROM geo.country_currency AS link
              WHERE link.country_code = country.code) AS currencies
    FROM geo.city JOIN geo.country ON country.code = city.country_code
      JOIN geo.continent ON continent.code = country.continent_code
      LEFT JOIN geo.region ON region.id = city.region_id LEFT JOIN geo.district ON district.id = city.district_id
    WHERE city.name = 'Bern' AND city.country_code = 'CH'`)
  expect(rows).toEqual([
    {
      id: expect.any(Number),
      name: 'Bern',
      lat: expect.closeTo(46.95, 1),
      lng: expect.closeTo(7.45, 1),
      location: { x: expect.closeTo(7.45, 1), y: expect.closeTo(46.95, 1) },
      active: true,
      country: 'Switzerland',
      phone_prefixes: [41],
      region: 'Bern',
      district: expect.stringContaining('Bern'),
      continent: 'Europe',
      languages: ['German', 'French', 'Italian'],
      currencies: ['CHF', 'CHE', 'CHW'],
    },
  ])
})

test('ids are those of the file, and the next one follows', async () => {
  expect(await read('SELECT name, country_code FROM geo.city WHERE id = 1')).toEqual([
    { name: 'Vila', country_code: 'AD' },
  ])
  const added = `INSERT INTO geo.city (name, country_code, lat, lng) VALUES ('New', 'CH', 47, 8) RETURNING id::int`
  expect(await read(added)).toEqual([{ id: 171_076 }])
  await read('DELETE FROM geo.city WHERE id = 171076')
})

test('the planner knows the tables', async () => {
  const analysed = `SELECT relname FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND relkind = 'r' AND reltuples < 0`
  expect(await read(analysed)).toEqual([])
})

test('progress goes from nothing to all', () => {
  const [total] = progress.map(([, rows]) => rows)
  expect(progress.at(0)).toEqual([0, total])
  expect(progress.at(-1)).toEqual([total, total])
  expect(progress.map(([done]) => done)).toEqual(progress.map(([done]) => done).toSorted((a, b) => a - b))
})

test('a second load changes nothing, and says what to do', async () => {
  const said = await loadCities(database.url).then(() => 'loaded', describeError)
  expect(said).toMatch(/schema geo exists already\n.*DROP SCHEMA geo CASCADE/)
})
