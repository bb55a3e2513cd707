import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newIndexName, readMakers, signedMappings } from '../../src/capture/document-index.ts'
import { checkAlias } from '../../src/sync/index-alias.ts'
import { eventually } from '../support/eventually.ts'
import { type ReindexWorld, reindexWorld } from './reindex-world.ts'

/** A document with an index for each tenant: all aliases move at once, and a tenant who comes meanwhile stays as he is. */

let world: ReindexWorld
const index = (tenant: string) => `${world.server.prefix}thing-${tenant}`
const definitions = () => ({
  thing: { table: 'thing', index: index('{tenant}'), tenant: 'tenant' },
})

beforeAll(async () => {
  world = await reindexWorld()
  await world.database.pool.query(`
    CREATE TABLE thing (id bigint PRIMARY KEY, name text, tenant text);
    INSERT INTO thing SELECT i, 'thing ' || i, CASE WHEN i % 3 = 0 THEN 'b' ELSE 'a' END FROM generate_series(1, 300) i`)
  await world.install(definitions())
  world.instance(definitions())
  await world.ended('1')
})
afterAll(() => world.drop())

const rowsOf = (tenant: string) => `(SELECT * FROM thing WHERE tenant = '${tenant}')`

test('every tenant’s index is built anew, rows move between them meanwhile, and the aliases move at once', async () => {
  const before = (await world.roles('thing')).live ?? []
  expect(before).toHaveLength(2)
  const writesBefore = await Promise.all(before.map((name) => world.elasticsearch.countWrites(name)))
  const id = await world.request('thing')
  const { pool } = world.database
  await eventually(async () => (await world.roles('thing')).building !== undefined)
  for (let n = 1; n <= 20; n++) {
    await pool.query(`UPDATE thing SET tenant = CASE tenant WHEN 'a' THEN 'b' ELSE 'a' END WHERE id = $1`, [
      n,
    ])
  }
  await pool.query(`INSERT INTO thing VALUES (1000, 'new', 'c')`)
  expect(await world.ended(id)).toMatchObject({ state: 'done', error: null })
  const { live = [], kept = [] } = await world.roles('thing')
  expect(kept).toEqual(before)
  expect(live).toHaveLength(3)
  await world.drained()
  for (const tenant of ['a', 'b', 'c']) {
    const [name = ''] = await world.pointsTo(index(tenant))
    expect(live).toContain(name)
    expect(await world.differences(rowsOf(tenant), name)).toEqual([])
  }
  // The walk's marks were for the new indices alone: 300 rows, and the old ones have seen the changes only.
  const writes = await Promise.all(before.map((name) => world.elasticsearch.countWrites(name)))
  const added = writes.reduce((sum, count, at) => sum + count - (writesBefore[at] ?? 0), 0)
  expect(added).toBeLessThan(100)
})

test('a rollback takes back what has something to go back to', async () => {
  const { kept = [], live = [] } = await world.roles('thing')
  expect(await world.ended(await world.request('thing', { rollback: true }))).toMatchObject({ state: 'done' })
  const after = await world.roles('thing')
  expect(after.live).toEqual([...kept, live[2]])
  expect(after.kept).toEqual(live.slice(0, 2))
})

test('a tenant whom a database that was set back has forgotten, and whose index does not fit: an alarm says to reindex, which mends it', async () => {
  const { database, elasticsearch, server, schema } = world
  const { pool } = database
  const check = { pool, schema, elasticsearch, log: pino({ level: 'silent' }), unseen: new Map() }
  const alarm = async () => {
    await checkAlias(check, 'thing', index('{tenant}'))
    return world.value("SELECT alarm FROM sluice.sync_document WHERE name = 'thing'")
  }
  // Made for the tenant by a definition of which this database knows nothing.
  const [maker] = await readMakers(pool, schema, 'thing')
  const theirs = newIndexName(index('d'))
  const properties = { id: { type: 'long' }, name: { type: 'long' }, tenant: { type: 'keyword' } }
  await elasticsearch.createIndex({
    name: theirs,
    alias: index('d'),
    mappings: signedMappings({ mappings: { properties } }, maker),
    settings: {},
  })
  await server.request('PUT', `/${theirs}/_doc/77?refresh=true`, { id: 77, name: 1, tenant: 'd' })
  expect(await alarm()).toMatch(/field name is long.*sluice reindex thing builds an index from the rows/)
  await pool.query(`INSERT INTO thing VALUES (2000, 'of one who came back', 'd')`)
  await eventually(async () => {
    const { rows } = await pool.query('SELECT type, state FROM sluice.sync_failed')
    expect(rows).toEqual([{ type: 'tenant_index', state: 'dead' }])
  })

  expect(await world.ended(await world.request('thing', { keepMs: 0 }))).toMatchObject({
    state: 'done',
    error: null,
  })
  const [now = ''] = await world.pointsTo(index('d'))
  expect(now).not.toBe(theirs)
  await world.drained()
  for (const tenant of ['a', 'b', 'c', 'd']) {
    const [name = ''] = await world.pointsTo(index(tenant))
    expect(await world.differences(rowsOf(tenant), name)).toEqual([])
  }
  expect(await alarm()).toBeNull()
  await eventually(async () => expect((await pool.query('SELECT FROM sluice.sync_failed')).rowCount).toBe(0))
  await eventually(async () => {
    await world.dropRetired()
    expect(await world.indices()).not.toContain(theirs)
  })
})

test('the index of one tenant is recreated, and the others have nothing written to theirs', async () => {
  const tenants = ['a', 'b', 'c', 'd']
  const physical = async () =>
    Object.fromEntries(
      await Promise.all(
        tenants.map(async (tenant) => [tenant, (await world.pointsTo(index(tenant)))[0] ?? '']),
      ),
    ) as Record<string, string>
  const before = await physical()
  const written = async () =>
    Promise.all(['b', 'c', 'd'].map((tenant) => world.elasticsearch.countWrites(before[tenant] ?? '')))
  const writes = await written()
  const run = await world.ended(
    await world.request('thing', { recreate: true, alias: index('a'), keepMs: 0 }),
  )
  expect(run).toMatchObject({ state: 'done', error: null })
  const after = await physical()
  expect(after).toEqual({ ...before, a: expect.not.stringMatching(`^${before.a}$`) })
  expect(await written()).toEqual(writes)
  for (const tenant of tenants)
    expect(await world.differences(rowsOf(tenant), after[tenant] ?? '')).toEqual([])
})
