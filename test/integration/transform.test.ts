import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Transform } from '../../src/config/types.ts'
import { runBatch } from '../../src/sync/batch.ts'
import { places } from './address-world.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

/** Batches of a document whose configuration has a `transform`. */

let world: SyncWorld

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())

const row = (name: string) => ({ tenant: null, route: null, name })

const transform: Transform = async (document) => {
  const name = String(document.name)
  if (name === 'secret') return null
  if (name === 'bad') throw new Error('cannot make this one')
  return { ...document, name: name.toUpperCase() }
}

test('what it makes is indexed, what it leaves out is deleted, what it fails on is retried alone', async () => {
  const docs = await places(world, { transform })
  await docs.put(1, row('one'))
  await docs.put(2, row('two'))
  await docs.put(3, row('bad'))
  await docs.mark(['1', '2', '3'])
  expect(await docs.drain()).toMatchObject({ outcome: 'settled', obstacle: null })
  expect((await docs.find(1))[0]?.name).toBe('ONE')
  expect(await docs.failures()).toMatchObject([
    {
      key: '3',
      state: 'retrying',
      attempts: 1,
      type: 'transform_error',
      reason: 'transform threw: cannot make this one',
    },
  ])

  await docs.put(2, row('secret'))
  await docs.mark(['2', '3'])
  await docs.drain()
  expect(await docs.find(2)).toEqual([])
  expect(await docs.failures()).toMatchObject([{ key: '3', attempts: 2 }])
  const brake = await world.database.pool.query(
    `SELECT deletes::int FROM "${SCHEMA}".sync_brake WHERE document = $1`,
    [docs.document],
  )
  expect(brake.rows).toEqual([{ deletes: 1 }])

  await docs.put(3, row('good'))
  await docs.mark(['3'])
  await docs.drain()
  expect((await docs.find(3))[0]?.name).toBe('GOOD')
  expect(await docs.failures()).toEqual([])
})

test('one that fails is dead after MAX_RETRIES attempts', async () => {
  const docs = await places(world, { transform })
  await docs.put(1, row('bad'))
  for (let attempt = 1; attempt <= world.context.limits.maxRetries; attempt++) {
    await docs.mark(['1'])
    await docs.drain()
  }
  expect(await docs.failures()).toMatchObject([{ state: 'dead', attempts: 5 }])
})

test('one whose result Elasticsearch refuses is dead, for its row is still what failed', async () => {
  const docs = await places(world, { transform: (document) => ({ ...document, unknown: 1 }) })
  await docs.put(1, row('one'))
  await docs.mark(['1'])
  await docs.drain()
  expect(await docs.failures()).toMatchObject([{ state: 'dead', type: 'strict_dynamic_mapping_exception' }])
})

test('a daemon without the function leaves the document alone', async () => {
  const docs = await places(world, { transform })
  await docs.put(1, row('one'))
  await docs.mark(['1'])
  const { transform: _, ...request } = docs.request
  expect(await runBatch(world.context, request)).toMatchObject({
    outcome: 'given-back',
    obstacle: { scope: 'document', type: 'no_transform' },
  })
})
