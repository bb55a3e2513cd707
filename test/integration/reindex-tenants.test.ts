import { afterAll, beforeAll, expect, test } from 'vitest'
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
