import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { ConfigError } from '../../src/errors.ts'
import { type CityWorld, cityWorld, lines } from './install-world.ts'

/** What install refuses, and what it leaves to a reindex: nothing is changed. */

let world: CityWorld
let city: DocumentDefinition

beforeAll(async () => {
  world = await cityWorld()
  city = world.city
})
afterAll(() => world.drop())
beforeEach(() => world.clear())

describe('what a living index cannot become takes a reindex: that document is left as it is', () => {
  it.each<[what: string, change: () => object, why: RegExp]>([
    [
      'a field of another type',
      () => ({ mappings: { properties: { name: { type: 'long' } } } }),
      /mappings: field name would change from/,
    ],
    ['another setting', () => ({ settings: { number_of_shards: 2 } }), /settings: an index keeps/],
    ['dynamic mappings', () => ({ mappings: { dynamic: 'false' } }), /the mappings would change/],
  ])('%s', async (_, change, why) => {
    await world.install({ city })
    const before = await world.everything()
    const { plan } = await world.install({ city: { ...city, ...change() } })
    expect(plan).toMatchObject({
      steps: [],
      reindexes: [{ document: 'city', why: expect.stringMatching(why) }],
    })
    expect(await world.everything()).toEqual(before)
  })
})

describe('what takes another document is refused, and nothing is changed', () => {
  it('another index name', async () => {
    const country = { table: 'geo.country', index: `${world.server.prefix}countries` }
    await world.install({ city })
    const before = await world.everything()
    // A new document comes first: everything is checked before anything is done.
    const wrong = world.install({ country, city: { ...city, index: `${world.server.prefix}towns` } })
    await expect(wrong).rejects.toThrow(/index: the document is in .*cities/)
    await expect(wrong).rejects.toMatchObject({ remedy: expect.stringContaining('sluice uninstall city') })
    expect(await world.everything()).toEqual(before)
  })

  it('another key', async () => {
    await world.database.pool.query('ALTER TABLE geo.city ADD other bigint NOT NULL UNIQUE')
    await world.install({ city: { ...city, fields: ['id', 'name', 'other'] } })
    await expect(
      world.install({ city: { ...city, fields: ['id', 'name', 'other'], id: ['other'] } }),
    ).rejects.toThrow(/id: the key is another/)
  })

  it('but a renamed key column is the same key', async () => {
    await world.install({ city })
    await world.database.pool.query('ALTER TABLE geo.city RENAME id TO ident')
    const renamed = { ...city, fields: { id: 'ident', name: 'name' } }
    const { plan } = await world.install({ city: renamed })
    expect(lines(plan.steps)).toContain('~ function key_city')
    expect((await world.install({ city: renamed })).plan.steps).toEqual([])
  })

  it('a field that the index has under another type from earlier', async () => {
    await world.install({ city: { ...city, fields: ['id', 'name', 'population'] } })
    await world.install({ city })
    const again = { ...city, fields: { id: 'id', name: 'name', population: 'note' } }
    expect((await world.install({ city: again })).plan.reindexes).toMatchObject([
      { why: expect.stringMatching(/field population is integer in the index, and would be/) },
    ])
  })
})

describe('a name that is taken', () => {
  it.each<[what: string, make: () => Promise<unknown>, message: RegExp]>([
    ['by an index', () => world.server.request('PUT', `/${city.index}`, {}), /is an index already/],
    [
      'by an alias of somebody else',
      () => world.server.request('PUT', `/${city.index}-theirs`, { aliases: { [city.index]: {} } }),
      /points to .*-theirs, which this sluice did not make/,
    ],
    [
      'by a trigger of somebody else',
      () =>
        world.database.pool.query(`
          CREATE FUNCTION geo.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
          CREATE TRIGGER sluice_city_insert AFTER INSERT ON geo.city EXECUTE FUNCTION geo.mine()`),
      /has a trigger sluice_city_insert already, which calls geo\.mine/,
    ],
  ])('%s is a clear error, and nothing is changed', async (_, make, message) => {
    await make()
    try {
      const before = await world.everything()
      await expect(world.install({ city })).rejects.toThrow(message)
      await expect(world.install({ city })).rejects.toBeInstanceOf(ConfigError)
      expect(await world.everything()).toEqual(before)
    } finally {
      await world.server.request('DELETE', `/${city.index}*?expand_wildcards=all`)
    }
  })

  it('by an empty index of our own interrupted install is taken over', async () => {
    await world.install({ city })
    const left = await world.value('SELECT name FROM sluice.sync_index')
    await world.uninstall(undefined, { keepIndices: true })
    const { plan } = await world.install({ city })
    expect(lines(plan.steps)).toContain(`- index ${left}, left by an interrupted install`)
    expect((await world.elasticsearch.aliasTargets(city.index)).indices).toEqual([
      await world.value('SELECT name FROM sluice.sync_index'),
    ])
  })

  it('by an index of ours that has documents is not', async () => {
    await world.install({ city })
    const left = await world.value('SELECT name FROM sluice.sync_index')
    await world.server.request('PUT', `/${left}/_doc/1`, { id: 1 })
    await world.uninstall(undefined, { keepIndices: true })
    await expect(world.install({ city })).rejects.toThrow(
      /which an earlier installation of this sluice left, with documents/,
    )
    await world.server.request('DELETE', `/${left}`)
  })
})

it('what fails in the database leaves nothing in Elasticsearch', async () => {
  await world.install({})
  await world.database.pool.query('CREATE TABLE sluice.document_city ()')
  // What uninstall --keep-indices has left to the test before.
  await world.elasticsearch.deleteTemplate(city.index)
  const before = await world.everything()
  await expect(world.install({ city })).rejects.toThrow(/document_city/)
  expect(await world.everything()).toEqual(before)
})

it('a mapping that Elasticsearch refuses names its document, and leaves nothing of it and of those after it', async () => {
  await world.install({})
  const before = await world.everything()
  const refused = { ...city, mappings: { properties: { name: { type: 'txt' } } } }
  const error = await world
    .install({ city: refused, line: { ...city, index: `${city.index}-other` } })
    .catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'config', where: 'documents.city' })
  expect(error).toHaveProperty('message', expect.stringMatching(/type \[txt\] declared on field \[name\]/))
  expect(await world.everything()).toEqual(before)
})
