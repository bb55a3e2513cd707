import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { ConfigError } from '../../src/errors.ts'
import { type InstallWorld, installWorld, lines } from './install-world.ts'

let world: InstallWorld
let city: DocumentDefinition

beforeAll(async () => {
  world = await installWorld()
  city = { table: 'geo.city', index: `${world.server.prefix}cities`, fields: ['id', 'name'] }
})
afterAll(() => world.drop())

beforeEach(async () => {
  await world.uninstall()
  await world.database.pool.query(`
    DROP SCHEMA IF EXISTS geo CASCADE;
    CREATE SCHEMA geo;
    CREATE TABLE geo.city (id bigint PRIMARY KEY, name text, note text, population int);
    CREATE TABLE geo.country (code text PRIMARY KEY, name text)`)
})

const marks = () => world.value('SELECT count(*)::int FROM sluice.sync_queue')
const activeRun = () =>
  world.value(
    "SELECT kind || ' ' || state FROM sluice.sync_run WHERE state = 'requested' AND document = 'city'",
  )
const cancelRuns = () => world.database.pool.query("UPDATE sluice.sync_run SET state = 'cancelled'")

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

describe('damage is repaired, and followed by a verify', () => {
  it.each<[what: string, damage: string, steps: RegExp[]]>([
    ['a dropped trigger', 'DROP TRIGGER sluice_city_update ON geo.city', [/\+ trigger sluice_city_update/]],
    [
      'a disabled trigger',
      'ALTER TABLE geo.city DISABLE TRIGGER sluice_city_update',
      [/~ trigger sluice_city_update on geo.city \(it was switched off\)/],
    ],
    [
      'all triggers disabled',
      'ALTER TABLE geo.city DISABLE TRIGGER USER',
      Array(4).fill(/~ trigger .* switched off/),
    ],
    [
      'a trigger that fires on replicas only',
      'ALTER TABLE geo.city ENABLE REPLICA TRIGGER sluice_city_delete',
      [/~ trigger sluice_city_delete/],
    ],
    ['a dropped function', 'DROP FUNCTION sluice.key_city', [/\+ function key_city/]],
    [
      'a dropped trigger function',
      'DROP FUNCTION sluice.capture_city_insert CASCADE',
      [/\+ function capture_city_insert/, /\+ trigger sluice_city_insert/],
    ],
    [
      'a table that was replaced',
      'ALTER TABLE geo.city RENAME TO old; CREATE TABLE geo.city (LIKE geo.old INCLUDING ALL)',
      [
        /~ view/,
        /\+ function key_city/,
        /\+ function changed_city/,
        ...Array(4).fill(/\+ trigger .* on geo.city/),
        ...Array(4).fill(/- trigger .* on geo.old/),
        /- function .*geo\.old/,
        /- function .*geo\.old/,
        /~ definition/,
      ],
    ],
  ])('%s', async (what, damage, steps) => {
    await world.install({ city })
    await cancelRuns()
    await world.database.pool.query(damage)
    const { plan } = await world.install({ city })
    const done = lines(plan.steps)
    expect(done.at(-1)).toMatch(/→ verify of city/)
    for (const step of steps) expect.soft(done.join('\n'), what).toMatch(step)
    expect(await activeRun()).toBe('verify requested')
    expect((await world.install({ city })).plan.steps).toEqual([])
    await world.database.pool.query(
      "INSERT INTO geo.city VALUES (1, 'x'); UPDATE geo.city SET name = 'y'; DELETE FROM geo.city",
    )
    expect(await marks()).toBe(3)
  })

  it('an index that is gone is made anew, and filled', async () => {
    await world.install({ city })
    await cancelRuns()
    const lost = String(await world.value('SELECT name FROM sluice.sync_index'))
    await world.elasticsearch.deleteIndex(lost)
    const { plan } = await world.install({ city })
    expect(lines(plan.steps)).toEqual([
      `- index ${lost}, which is gone, from the list`,
      `+ index ${city.index}-<time>-<random> with alias ${city.index}`,
      '→ backfill of city: its index was gone',
    ])
    expect((await world.elasticsearch.aliasTargets(city.index)).indices).toEqual([
      await world.value('SELECT name FROM sluice.sync_index'),
    ])
  })

  it('an alias that is gone is reported', async () => {
    await world.install({ city })
    const index = await world.value('SELECT name FROM sluice.sync_index')
    await world.server.request('DELETE', `/${index}/_alias/${city.index}`)
    const { plan } = await world.install({ city })
    expect(plan.notes.join()).toMatch(/no longer points to .*POST \/_aliases/)
  })

  it('what a CASCADE took is made anew once the configuration is right, the document goes on, the alarm ends', async () => {
    await world.install({ city })
    await cancelRuns()
    await world.database.pool.query(`
      ALTER TABLE geo.city DROP name CASCADE;
      UPDATE sluice.sync_document SET state = 'paused', reason = 'no view', alarm = 'a column is gone'`)
    await expect(world.install({ city })).rejects.toThrow(/documents\.city\.fields/)
    const { plan } = await world.install({ city: { ...city, fields: ['id'] } })
    expect(lines(plan.steps)).toEqual(
      expect.arrayContaining([
        '+ view document_city',
        '+ function changed_city',
        '~ state of city: from paused to active',
        '- alarm: a column is gone',
      ]),
    )
    expect(await world.value('SELECT state FROM sluice.sync_document')).toBe('active')
    expect(await world.value('SELECT alarm FROM sluice.sync_document')).toBeNull()
  })

  it('a document that an operator has paused stays paused', async () => {
    await world.install({ city })
    await world.value("SELECT sluice.pause('city', 'maintenance')")
    const { plan } = await world.install({ city: { ...city, id: ['id'] } })
    expect(plan.notes.join()).toMatch(/city is paused \(maintenance\) and stays so: sluice resume city/)
    expect(await world.value('SELECT state FROM sluice.sync_document')).toBe('paused')
  })
})

describe('detach', () => {
  it('stops the marks, and install puts everything back and verifies', async () => {
    await world.install({ city })
    await cancelRuns()
    expect(await world.value("SELECT sluice.detach('city')")).toBe(4)
    await world.database.pool.query("INSERT INTO geo.city VALUES (1, 'x')")
    expect(await marks()).toBe(0)
    const { plan } = await world.install({ city })
    expect(lines(plan.steps)).toEqual(
      expect.arrayContaining([
        '+ trigger sluice_city_insert on geo.city',
        '~ state of city: from detached to active',
        '→ verify of city: it was detached',
      ]),
    )
    expect(await world.value('SELECT state FROM sluice.sync_document')).toBe('active')
    await world.database.pool.query("INSERT INTO geo.city VALUES (2, 'x')")
    expect(await marks()).toBe(1)
    expect((await world.install({ city })).plan.steps).toEqual([])
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
