import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { type CityWorld, cityWorld, lines } from './install-world.ts'

let world: CityWorld
let city: DocumentDefinition

beforeAll(async () => {
  world = await cityWorld()
  city = world.city
})
afterAll(() => world.drop())
beforeEach(() => world.clear())

const marks = () => world.marks()
const activeRun = () => world.activeRun()
const cancelRuns = () => world.cancelRuns()

describe('a first install', () => {
  it('creates schema, index, alias, guard, view, functions and triggers, and requests a backfill', async () => {
    const { plan, runs } = await world.install({ city })
    expect(lines(plan.steps)).toEqual([
      '+ schema sluice: tables, functions and views of sluice',
      `+ index ${city.index}-<time>-<random> with alias ${city.index}`,
      '+ view document_city',
      '+ function key_city',
      '+ function changed_city',
      '+ function capture_city_insert',
      '+ function capture_city_update',
      '+ function capture_city_delete',
      '+ function capture_city_truncate',
      '+ trigger sluice_city_insert on geo.city',
      '+ trigger sluice_city_update on geo.city',
      '+ trigger sluice_city_delete on geo.city',
      '+ trigger sluice_city_truncate on geo.city',
      '+ document city',
      '→ backfill of city',
    ])
    expect(runs).toMatchObject([{ document: 'city', kind: 'backfill' }])
    expect(await activeRun()).toBe('backfill requested')

    const { indices } = await world.elasticsearch.aliasTargets(city.index)
    expect(indices).toHaveLength(1)
    expect(await world.value('SELECT name FROM sluice.sync_index')).toBe(indices[0])
    expect(await world.value('SELECT uuid FROM sluice.sync_index')).toBe(
      await world.elasticsearch.indexUuid(indices[0] ?? ''),
    )
    expect(
      await world.server.request('PUT', `/${city.index}-20990101000000-abcdef/_doc/1`, {}),
    ).toMatchObject({
      // Of OpenSearch it is the template's setting that refuses (src/elasticsearch/templates.ts).
      status: inject('searchProduct') === 'opensearch' ? 400 : 404,
    })

    expect(await marks()).toBe(0)
    await world.database.pool.query("INSERT INTO geo.city VALUES (1, 'Bern')")
    expect(await marks()).toBe(1)
    expect(await world.value('SELECT document FROM sluice.document_city')).toBe('{"id":1,"name":"Bern"}')
  })

  it('requests nothing with --no-backfill', async () => {
    const { runs } = await world.install({ city }, { backfill: false })
    expect(runs).toEqual([])
    expect(await activeRun()).toBeUndefined()
  })

  it('changes nothing in a dry run', async () => {
    const before = await world.everything()
    const { plan } = await world.install({ city }, { dryRun: true })
    expect(plan.steps).toHaveLength(15)
    expect(await world.everything()).toEqual(before)
  })

  it('has been shown before anything is done', async () => {
    const before = await world.everything()
    let shown: Promise<string[]> | undefined
    await world
      .install(
        { city },
        {
          onPlan: () => {
            throw new Error('enough')
          },
        },
      )
      .catch(() => {
        shown = world.everything()
      })
    expect(await shown).toEqual(before)
  })
})

describe('a second install', () => {
  it('has nothing to do', async () => {
    await world.install({ city })
    const before = await world.everything()
    const { plan, runs } = await world.install({ city })
    expect(plan.steps).toEqual([])
    expect(runs).toEqual([])
    expect(await world.everything()).toEqual(before)
  })

  it('adds a document and leaves the others alone', async () => {
    await world.install({ city })
    const country = { table: 'geo.country', index: `${world.server.prefix}countries` }
    const { plan } = await world.install({ city, country })
    expect(new Set(plan.steps.map(({ document }) => document))).toEqual(new Set(['country']))
  })

  it('at the same time follows the first', async () => {
    const [first, second] = await Promise.all([world.install({ city }), world.install({ city })])
    expect([first.plan.steps.length, second.plan.steps.length].sort()).toEqual([0, 15])
    expect((await world.elasticsearch.aliasTargets(city.index)).indices).toHaveLength(1)
  })

  it('with a new field extends mappings, view and comparison, and has every document looked at', async () => {
    await world.install({ city })
    await cancelRuns()
    const { plan } = await world.install({ city: { ...city, fields: ['id', 'name', 'population'] } })
    const index = await world.value('SELECT name FROM sluice.sync_index')
    expect(lines(plan.steps)).toEqual([
      `~ mappings of ${index}: population`,
      '~ view document_city',
      '~ function changed_city',
      '~ definition of city',
      '→ verify of city: its definition changed',
    ])
    expect(await world.elasticsearch.getMappings(String(index))).toMatchObject({
      properties: { population: { type: 'integer' } },
    })
    await world.database.pool.query(
      "INSERT INTO geo.city VALUES (1, 'Bern', 'x', 7); UPDATE geo.city SET population = 8",
    )
    expect(await marks()).toBe(2)
  })

  it('follows a run that is under way', async () => {
    await world.install({ city })
    await world.install({ city: { ...city, fields: ['id', 'name', 'population'] } })
    expect(await world.value('SELECT verify_after IS NOT NULL FROM sluice.sync_run')).toBe(true)
  })

  it('takes a definition that means the same without a run', async () => {
    await world.install({ city })
    await cancelRuns()
    const { plan } = await world.install({ city: { ...city, id: ['id'] } })
    expect(lines(plan.steps)).toEqual(['~ definition of city'])
    expect(await activeRun()).toBeUndefined()
  })

  it('says which documents are no longer configured, and leaves them', async () => {
    await world.install({ city })
    const { plan } = await world.install({})
    expect(plan.steps).toEqual([])
    expect(plan.notes.join()).toMatch(
      /city is installed and no longer in the configuration.*sluice uninstall city/,
    )
  })
})

describe('a partitioned table', () => {
  it('gets row-level triggers, TRUNCATE triggers on its leaves, those of new leaves with the next install', async () => {
    await world.database.pool.query(`
      CREATE TABLE geo.event (id int PRIMARY KEY, title text, note text) PARTITION BY RANGE (id);
      CREATE TABLE geo.event_1 PARTITION OF geo.event FOR VALUES FROM (0) TO (100)`)
    const event = { table: 'geo.event', index: `${world.server.prefix}events`, fields: ['id', 'title'] }
    await world.install({ event })
    await world.database.pool.query(`
      CREATE TABLE geo.event_2 PARTITION OF geo.event FOR VALUES FROM (100) TO (200);
      ALTER TABLE geo.event_1 DISABLE TRIGGER sluice_event_insert`)
    const { plan } = await world.install({ event })
    expect(lines(plan.steps)).toEqual([
      '~ trigger sluice_event_insert on geo.event (it was switched off)',
      '+ trigger sluice_event_truncate on geo.event_2',
      '~ definition of event',
      '→ verify of event: a trigger or function was gone or off',
    ])
    await world.database.pool.query("INSERT INTO geo.event VALUES (1, 'x'), (101, 'x'); TRUNCATE geo.event_2")
    expect(await marks()).toBe(3)
    await world.database.pool.query('ALTER TABLE geo.event DETACH PARTITION geo.event_2')
    expect(lines((await world.install({ event })).plan.steps)).toContain(
      '- trigger sluice_event_truncate on geo.event_2',
    )
  })
})
