import { afterAll, beforeAll, expect, test } from 'vitest'
import { laterColumnsText, readLaterColumns } from '../../src/capture/later-columns.ts'
import { type InstallWorld, installWorld } from './install-world.ts'

/** "All columns" is frozen at install; what came later is told, of every part that takes all. */

let world: InstallWorld
beforeAll(async () => {
  world = await installWorld('Sluice later')
  await world.database.pool.query(`
    CREATE SCHEMA geo;
    CREATE TABLE geo.country (code text PRIMARY KEY, name text, secret text);
    CREATE TABLE geo.city (id int PRIMARY KEY, name text, code text REFERENCES geo.country, twin int REFERENCES geo.city);
    CREATE TABLE tag (id int PRIMARY KEY, name text);
    CREATE TABLE city_tag (city int REFERENCES geo.city, tag int REFERENCES tag, PRIMARY KEY (city, tag));
    CREATE VIEW town AS SELECT id, name FROM geo.city`)
  const index = (name: string) => `${world.server.prefix}${name}`
  await world.install({
    city: {
      table: 'geo.city',
      index: index('city'),
      fields: ['id', 'name'],
      relations: {
        country: { one: 'geo.country', omit: ['secret'] },
        twin: { one: 'geo.city' },
        tags: { many: 'tag', through: { table: 'city_tag' }, flatten: 'name' },
      },
    },
    land: { table: 'geo.country', index: index('land'), omit: ['secret'] },
    // It says itself what it takes.
    town: {
      table: 'town',
      id: ['id'],
      index: index('town'),
      sql: 'SELECT id, name FROM town WHERE id = ANY ($1)',
      dependsOn: { 'geo.city': 'id' },
    },
  })
})
afterAll(() => world?.drop())

test('columns that came later, by the parts that would take them', async () => {
  const later = () => readLaterColumns(world.database.pool, world.schema)
  expect(await later()).toEqual([])
  await world.database.pool.query(`
    ALTER TABLE geo.country ADD area int, ADD "Ü b" int;
    ALTER TABLE geo.city RENAME name TO title;
    ALTER TABLE geo.city ADD height int, ADD gone int;
    ALTER TABLE geo.city DROP gone;
    ALTER TABLE tag ADD weight int;
    ALTER TABLE city_tag ADD since date`)
  expect((await later()).map((columns) => `${columns.document}: ${laterColumnsText(columns)}`)).toEqual([
    'city: geo.country has got area, Ü b since the install, and documents.city.relations.country takes all columns',
    'city: geo.city has got height since the install, and documents.city.relations.twin takes all columns',
    'land: geo.country has got area, Ü b since the install, and documents.land takes all columns',
  ])
})
