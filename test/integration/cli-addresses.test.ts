import { afterAll, beforeAll, expect, test } from 'vitest'
import { inspectDocument } from '../../src/cli/inspection.ts'
import { keysOfDocuments } from '../../src/cli/keys-of-documents.ts'
import { readDocuments } from '../../src/queue/read-documents.ts'
import { type Place, type Places, places } from './address-world.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

/** What `enqueue`, `preview` and `inspect` make of an `_id` of a document that has an address. */

let world: SyncWorld
let docs: Places

beforeAll(async () => {
  world = await createSyncWorld()
  docs = await places(world, { tenants: true, routing: true, shards: 5 })
})
afterAll(() => world.drop())

const lookup = async () => ({
  database: { pool: world.database.pool, schema: SCHEMA },
  elasticsearch: world.elasticsearch,
})
const keys = async (id: number) =>
  (await keysOfDocuments(world.database.pool, docs.plan, [String(id)], lookup)).map(({ key }) => key)

async function inspect(id: number) {
  const installed = (await readDocuments(world.database.pool, SCHEMA)).find(
    ({ name }) => name === docs.document,
  )
  const [key] = await keysOfDocuments(world.database.pool, docs.plan, [String(id)], lookup)
  if (installed === undefined || key === undefined) throw new Error('it is not installed')
  return inspectDocument(await lookup(), { installed, transform: null }, key)
}

async function index(id: number, place: Place): Promise<void> {
  await docs.put(id, place)
  await docs.mark([docs.key(id, place)])
  await docs.drain()
}

test('the key is that of the row as it is now', async () => {
  const [before, after] = [
    { tenant: 'a', route: 'r', name: 'x' },
    { tenant: 'b', route: null, name: 'x' },
  ]
  await index(1, before)
  await docs.put(1, after)
  expect(await keys(1)).toEqual([docs.key(1, after)])
})

test('of a row that is gone, those at which its document is found', async () => {
  const place = { tenant: 'a', route: 'r', name: 'x' }
  await index(2, place)
  await docs.put(2, null)
  await docs.find(2)
  expect(await keys(2)).toEqual([docs.key(2, place)])
  await docs.mark(await keys(2), 'enqueue')
  await docs.drain()
  expect(await docs.find(2)).toEqual([])
  expect(await keys(2)).toEqual([docs.key(2, { tenant: null, route: null })])
})

test('inspect reads the copy at the row’s address', async () => {
  await index(3, { tenant: 'b', route: 's', name: 'y' })
  expect(await inspect(3)).toMatchObject({
    key: docs.key(3, { tenant: 'b', route: 's' }),
    row: { id: 3, name: 'y', tenant: 'b', route: 's' },
    copies: [{ state: 'same', source: { id: 3, name: 'y' } }],
    differs: false,
  })
  await docs.put(3, { tenant: 'b', route: null, name: 'y' })
  expect(await inspect(3)).toMatchObject({ expected: { name: 'y' }, differs: true })
})

test('inspect of what is nowhere finds nothing wrong', async () => {
  expect(await inspect(4)).toMatchObject({ row: null, expected: null, copies: [], differs: false })
})
