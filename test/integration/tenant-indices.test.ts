import { afterAll, beforeAll, expect, test } from 'vitest'
import { runBatch } from '../../src/sync/batch.ts'
import { eventually } from '../support/context.ts'
import { foundOfTenant as found, keyOfTenant as key, ofTenant as of, places } from './address-world.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

/** How a tenant’s index is made: once, and by the plan of now, whatever goes wrong. */

let world: SyncWorld

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())

test('two daemons that need a tenant’s index at once make one', async () => {
  const docs = await places(world, { tenants: true })
  const ids = Array.from({ length: 8 }, (_, n) => n)
  for (const id of ids) {
    await docs.put(id, of('a', `n${id}`))
    await docs.mark([key(docs, id, 'a')])
  }
  const context = { ...world.context, limits: { ...world.context.limits, batchSize: 2 } }
  await Promise.all(ids.map(() => runBatch(context, docs.request)))
  await docs.drain()
  const alias = docs.plan.index.replace('{tenant}', 'a')
  expect((await world.elasticsearch.aliasTargets(alias)).indices).toHaveLength(1)
  for (const id of ids) expect(await docs.find(id)).toEqual(found('a', `n${id}`))
})

test('a delete that found no index yet is not overtaken by the row it stands for', async () => {
  const docs = await places(world, { tenants: true })
  await docs.put(1, of('a'))
  await docs.mark([key(docs, 1, 'a')])
  const gate = Promise.withResolvers<void>()
  const waiting = { creates: false }
  const late = runBatch(
    {
      ...world.context,
      elasticsearch: {
        ...world.elasticsearch,
        createIndex: async (index) => {
          waiting.creates = true
          await gate.promise
          return world.elasticsearch.createIndex(index)
        },
      },
    },
    docs.request,
  )
  await eventually(() => waiting.creates)
  await docs.put(1, null)
  await docs.mark([key(docs, 1, 'a')], 'delete')
  await docs.drain()
  gate.resolve()
  expect(await late).toMatchObject({ outcome: 'settled' })
  expect(await docs.find(1)).toEqual([])
})

test('an index that was made and not registered is found again, and gets what its mappings lack', async () => {
  const docs = await places(world, { tenants: true })
  const alias = docs.plan.index.replace('{tenant}', 'a')
  await docs.put(1, of('a'))
  await docs.mark([key(docs, 1, 'a')])
  await docs.drain()
  const { rows } = await world.database.pool.query(
    `DELETE FROM "${SCHEMA}".sync_index WHERE alias = $1 RETURNING name`,
    [alias],
  )
  await docs.put(1, of('a', 'again'))
  await docs.mark([key(docs, 1, 'a')])
  await docs.drain()
  expect(await docs.registered()).toEqual({ [alias]: rows[0].name })
  expect(await docs.find(1)).toEqual(found('a', 'again'))
  // It was not empty: what else is in it nobody has looked at.
  const runs = await world.database.pool.query(`SELECT kind FROM "${SCHEMA}".sync_run WHERE document = $1`, [
    docs.document,
  ])
  expect(runs.rows).toEqual([{ kind: 'verify' }])
})

test('of indices that attempts without an answer have made one is kept, and the empty others are dropped', async () => {
  const docs = await places(world, { tenants: true })
  const alias = docs.plan.index.replace('{tenant}', 'a')
  await docs.put(1, of('a'))
  await docs.mark([key(docs, 1, 'a')])
  await docs.drain()
  const { rows } = await world.database.pool.query<{ name: string }>(
    `DELETE FROM "${SCHEMA}".sync_index WHERE alias = $1 RETURNING name`,
    [alias],
  )
  const first = rows[0]?.name ?? ''
  const { elasticsearch } = world.context
  const mappings = await elasticsearch.getMappings(first)
  for (const late of ['20991231235959-aaaaaa', '20991231235959-bbbbbb'])
    await elasticsearch.createIndex({ name: `${alias}-${late}`, alias, mappings, settings: {} })
  await docs.put(2, of('a', 'another'))
  await docs.mark([key(docs, 2, 'a')])
  await docs.drain()
  expect(await docs.registered()).toEqual({ [alias]: first })
  expect(await elasticsearch.aliasTargets(alias)).toEqual({ indices: [first], concrete: false })
  expect(await docs.find(2)).toEqual(found('a', 'another'))
})

test('a tenant whose alias is somebody else’s fails alone, and says why', async () => {
  const docs = await places(world, { tenants: true })
  const alias = docs.plan.index.replace('{tenant}', 'a')
  await world.search.request('PUT', `/${alias}`)
  await docs.put(1, of('a'))
  await docs.put(2, of('b'))
  await docs.mark([key(docs, 1, 'a'), key(docs, 2, 'b')])
  await docs.drain()
  expect(await docs.find(2)).toEqual(found('b'))
  expect(await docs.failures()).toMatchObject([
    {
      key: key(docs, 1, 'a'),
      state: 'retrying',
      type: 'tenant_index',
      reason: expect.stringContaining(alias),
    },
  ])
})

test('settings that the server refuses are said, and no transaction stays open', async () => {
  const docs = await places(world, { tenants: true, settings: { 'index.no_such_setting': 1 } })
  await docs.put(1, of('a'))
  await docs.mark([key(docs, 1, 'a')])
  expect(await docs.drain()).toMatchObject({ outcome: 'settled' })
  expect(await docs.failures()).toMatchObject([
    { type: 'tenant_index', reason: expect.stringContaining('no_such') },
  ])
})

test('a document that was installed anew meanwhile makes no index by the old plan', async () => {
  const docs = await places(world, { tenants: true })
  await docs.put(1, of('a'))
  await docs.mark([key(docs, 1, 'a')])
  const { pool } = world.database
  const installing = await pool.connect()
  await installing.query('BEGIN')
  await installing.query(`UPDATE "${SCHEMA}".sync_document SET hash = 'new' WHERE name = $1`, [docs.document])
  const batch = runBatch(world.context, docs.request)
  await eventually(async () => {
    const { rows } = await pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return rows.length > 0
  })
  await installing.query('COMMIT')
  installing.release()
  expect(await batch).toMatchObject({ outcome: 'given-back', obstacle: { type: 'not_workable' } })
  expect(await docs.registered()).toEqual({})
})
