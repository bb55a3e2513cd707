import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { install } from '../../src/capture/install.ts'
import { uninstall } from '../../src/capture/uninstall.ts'
import { type InstallWorld, installWorld, lines } from './install-world.ts'

let world: InstallWorld
let city: { table: string; index: string; fields: string[] }
let event: { table: string; index: string }

beforeAll(async () => {
  world = await installWorld('Our Schema')
  city = { table: 'geo.city', index: `${world.server.prefix}cities`, fields: ['id', 'name'] }
  event = { table: 'geo.event', index: `${world.server.prefix}events` }
})
afterAll(() => world.drop())

const tables = `
  DROP SCHEMA IF EXISTS geo CASCADE;
  CREATE SCHEMA geo;
  CREATE TABLE geo.city (id int PRIMARY KEY, name text, note text);
  CREATE TABLE geo.event (id int PRIMARY KEY, title text) PARTITION BY RANGE (id);
  CREATE TABLE geo.event_1 PARTITION OF geo.event FOR VALUES FROM (0) TO (100)`

beforeEach(async () => {
  await world.uninstall()
  await world.database.pool.query(tables)
})

describe('uninstall', () => {
  it('leaves nothing behind', async () => {
    const before = await world.everything()
    await world.install({ city, event })
    await world.database.pool.query("INSERT INTO geo.city VALUES (1, 'x')")
    expect(await world.everything()).not.toEqual(before)
    const { done } = await world.uninstall()
    expect(done).toBe(true)
    expect(await world.everything()).toEqual(before)
    await world.database.pool.query("INSERT INTO geo.city VALUES (2, 'x'); INSERT INTO geo.event VALUES (1)")
  })

  it('leaves nothing of a document of several tables behind, nor does detach', async () => {
    await world.database.pool.query(`
      CREATE TABLE geo.review (id int PRIMARY KEY, city_id int REFERENCES geo.city, body text);
      CREATE TABLE geo.tag (city_id int REFERENCES geo.city, event_id int REFERENCES geo.event, PRIMARY KEY (city_id, event_id));`)
    const before = await world.everything()
    const relations = {
      reviews: { many: 'geo.review', fields: ['body'] },
      events: { many: 'geo.event', through: { table: 'geo.tag' }, flatten: 'title' },
    }
    const definition = { ...city, relations }
    await world.install({ city: definition })
    const installed = await world.everything()
    expect(lines((await world.install({ city: definition })).plan.steps)).toEqual([])
    await world.database.pool.query(
      "INSERT INTO geo.city VALUES (1, 'x'); INSERT INTO geo.event VALUES (1); INSERT INTO geo.tag VALUES (1, 1)",
    )
    expect(
      await world.value('SELECT array_agg(source ORDER BY id) FROM "Our Schema".sync_queue WHERE op = $1', [
        'insert',
      ]),
    ).toEqual(['', 'events', 'events:through'])
    // Root, reviews and tags, of four kinds of change each; events, partitioned, with one leaf more.
    expect(await world.value(`SELECT "Our Schema".detach('city')`)).toBe(17)
    expect((await world.everything()).filter((name) => /city\.|document_city/.test(name))).toEqual([])
    await world.install({ city: definition })
    expect(await world.everything()).toHaveLength(installed.length)
    await world.uninstall()
    expect(await world.everything()).toEqual(before)
  })

  it('has nothing to do where nothing is', async () => {
    expect((await world.uninstall()).plan.steps).toEqual([])
  })

  it('changes nothing unless it is confirmed', async () => {
    await world.install({ city })
    const before = await world.everything()
    expect(await world.uninstall(undefined, { confirm: false })).toMatchObject({ done: false })
    expect(await world.everything()).toEqual(before)
  })

  it('of one document leaves the others', async () => {
    await world.install({ event })
    const before = await world.everything()
    await world.install({ city, event })
    await world.database.pool.query("INSERT INTO geo.city VALUES (1, 'x'); INSERT INTO geo.event VALUES (1)")
    await world.uninstall('city')
    expect(await world.everything()).toEqual(before)
    expect(await world.value('SELECT array_agg(document) FROM "Our Schema".sync_queue')).toEqual(['event'])
    await expect(world.uninstall('city')).rejects.toThrow(/no document "city"/)
  })

  it('leaves Elasticsearch alone with --keep-indices', async () => {
    await world.install({ city })
    const index = await world.value('SELECT name FROM "Our Schema".sync_index')
    const { plan } = await world.uninstall(undefined, { keepIndices: true })
    expect(plan.notes.join()).toMatch(`index ${index}`)
    expect(await world.value("SELECT count(*)::int FROM pg_namespace WHERE nspname = 'Our Schema'")).toBe(0)
    expect((await world.elasticsearch.aliasTargets(city.index)).indices).toEqual([index])
    await world.elasticsearch.deleteIndex(String(index))
    await world.elasticsearch.deleteTemplate(city.index)
  })

  it('of a detached document', async () => {
    const before = await world.everything()
    await world.install({ city })
    await world.value(`SELECT "Our Schema".detach('city')`)
    await world.uninstall()
    expect(await world.everything()).toEqual(before)
  })

  it('after the table was dropped', async () => {
    await world.install({ city })
    await world.database.pool.query('DROP TABLE geo.city CASCADE')
    const before = (await world.everything()).filter((name) => !name.includes('Our Schema'))
    await world.uninstall()
    expect((await world.everything()).filter((name) => name.includes('Our Schema'))).toEqual([])
    expect(before.length).toBeGreaterThan(0)
  })

  it('goes on where one was broken off', async () => {
    const before = await world.everything()
    await world.install({ city, event })
    const broken = Object.assign(Object.create(world.elasticsearch), {
      deleteTemplate: () => Promise.reject(new Error('the line is cut')),
    })
    await expect(
      uninstall({
        pool: world.database.pool,
        schema: world.schema,
        elasticsearch: broken,
        document: null,
        keepIndices: false,
        confirm: async () => true,
        onWait: () => {},
      }),
    ).rejects.toThrow('the line is cut')
    await world.uninstall()
    expect(await world.everything()).toEqual(before)
  })

  it('refuses to take views of others along', async () => {
    await world.install({ city })
    await world.database.pool.query('CREATE VIEW geo.lag AS SELECT count(*) FROM "Our Schema".sync_queue')
    const before = await world.everything()
    await expect(world.uninstall()).rejects.toThrow(/geo\.lag/)
    expect(await world.everything()).toEqual(before)
    await world.database.pool.query('DROP VIEW geo.lag')
  })
})

describe('a role that owns neither database nor tables', () => {
  const role = `deploy_${Math.random().toString(36).slice(2)}`
  let pool: pg.Pool
  let url: string

  beforeAll(async () => {
    await world.database.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`)
    url = Object.assign(new URL(world.database.url), { username: role, password: 'secret' }).href
    pool = new pg.Pool({ connectionString: url, max: 4 })
  })
  afterAll(async () => {
    await pool.end()
    await world.database.pool.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`)
  })

  const options = () => ({
    pool,
    url,
    schema: 'deployed',
    definitions: new Map([['city', city]]),
    elasticsearch: world.elasticsearch,
    backfill: true,
    dryRun: false,
    onPlan: () => {},
    onWait: () => {},
  })

  it('is told which privilege it lacks, before anything is changed', async () => {
    const before = await world.everything()
    await expect(install(options())).rejects.toMatchObject({
      message: expect.stringContaining('may not read geo.city'),
      remedy: expect.stringContaining(
        `GRANT USAGE ON SCHEMA "geo" TO ${role}; GRANT SELECT, TRIGGER ON "geo"."city"`,
      ),
    })
    await world.database.pool.query(
      `GRANT USAGE ON SCHEMA geo TO ${role}; GRANT SELECT ON geo.city TO ${role}`,
    )
    await expect(install(options())).rejects.toThrow('may not create triggers on geo.city')
    expect(await world.everything()).toEqual(before)
  })

  it('is told so of a related table, too, with its place in the configuration', async () => {
    await world.database.pool.query(`
      GRANT USAGE ON SCHEMA geo TO ${role}; GRANT SELECT, TRIGGER ON geo.city TO ${role}; GRANT SELECT ON geo.event TO ${role}`)
    const relations = { event: { one: 'geo.event', on: { id: 'id' } } }
    const definitions = new Map([['city', { ...city, relations }]])
    await expect(install({ ...options(), definitions })).rejects.toMatchObject({
      message: expect.stringContaining('may not create triggers on geo.event'),
      where: 'documents.city.relations.event',
    })
  })

  it('installs and uninstalls with SELECT, TRIGGER and CREATE on the database', async () => {
    await world.database.pool.query(`
      GRANT USAGE ON SCHEMA geo TO ${role};
      GRANT SELECT, TRIGGER ON geo.city TO ${role};
      DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${role}', current_database()); END $$`)
    const before = await world.everything()
    await install(options())
    await world.database.pool.query("INSERT INTO geo.city VALUES (1, 'x')")
    expect(await world.value('SELECT count(*)::int FROM deployed.sync_queue')).toBe(1)
    await world.database.pool.query('ALTER TABLE geo.city DISABLE TRIGGER deployed_city_insert')
    expect(lines((await install(options())).plan.steps)).toContain(
      '~ trigger deployed_city_insert on geo.city (it was switched off)',
    )
    await uninstall({ ...options(), document: null, keepIndices: false, confirm: async () => true })
    expect(await world.everything()).toEqual(before)
  })
})
