import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { REWRITE, requestRun } from '../../src/queue/request-run.ts'
import { executeRun } from '../../src/runs/execute.ts'
import { takeRun } from '../../src/runs/lifecycle.ts'
import { readRun } from '../../src/runs/read-runs.ts'
import { type Place, type Places, places } from './address-world.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

/** A verify of documents that have an address: what is not where its row says is found, and deleted. */

let world: SyncWorld

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())

/** Runs a verify to its end, and the batches it asks for. */
async function verify(docs: Places) {
  const { pool } = world.database
  await requestRun(pool, SCHEMA, { kind: 'verify', options: REWRITE, document: docs.document })
  const run = await takeRun(pool, SCHEMA, 'a', [docs.document])
  if (run === null) throw new Error('nothing to take')
  const { elasticsearch } = world
  const plans = new Map([[docs.document, docs.plan]])
  const context = {
    pool,
    schema: SCHEMA,
    elasticsearch,
    plans,
    instance: 'a',
    log: pino({ level: 'silent' }),
  }
  let ended = false
  const outcome = executeRun(context, run, new AbortController().signal).finally(() => {
    ended = true
  })
  while (!ended) await docs.drain({ lane: 1 })
  expect(await outcome).toBe('done')
  return readRun(pool, SCHEMA, run.id)
}

const plant = (index: string, id: number, route: string | null, name: string) =>
  world.search.request('PUT', `/${index}/_doc/${id}${route === null ? '' : `?routing=${route}`}`, {
    id,
    name,
  })

test('a document at a wrong routing, or at a wrong tenant’s, is deleted and the right one stays', async () => {
  const docs = await places(world, { tenants: true, routing: true, shards: 5 })
  const row = (id: number, tenant: string, route: string | null): [number, Place] => [
    id,
    { tenant, route, name: `row ${id}` },
  ]
  const rows = [row(1, 'a', 'r'), row(2, 'a', null), row(3, 'b', 's'), row(4, 'b', '')]
  for (const [id, place] of rows) {
    await docs.put(id, place)
    await docs.mark([docs.key(id, place)])
  }
  await docs.drain()
  const indices = await docs.registered()
  const indexOf = (tenant: string) => indices[docs.plan.index.replace('{tenant}', tenant)] ?? ''
  await plant(indexOf('a'), 1, 'wrong', 'planted')
  await plant(indexOf('b'), 1, 'r', 'planted')
  await plant(indexOf('b'), 2, null, 'planted')
  await plant(indexOf('a'), 99, 'r', 'planted')
  // What is right, and was changed by hand.
  await plant(indexOf('b'), 3, 's', 'planted')
  expect((await docs.find(1)).map(({ tenant }) => tenant)).toContain('b')
  expect((await docs.find(1)).map(({ route }) => route)).toContain('wrong')

  expect(await verify(docs)).toMatchObject({ state: 'done' })
  for (const [id, place] of rows)
    expect(await docs.find(id)).toEqual([{ ...place, route: place.route === '' ? null : place.route }])
  expect(await docs.find(99)).toEqual([])
})

test('a row that was moved past the triggers is where it belongs afterwards, in a single shard as well', async () => {
  for (const shards of [1, 5]) {
    const docs = await places(world, { routing: true, shards })
    const before: Place = { tenant: null, route: 'a', name: 'x' }
    await docs.put(1, before)
    await docs.mark([docs.key(1, before)])
    await docs.drain()
    const after: Place = { tenant: null, route: 'b', name: 'y' }
    await docs.put(1, after)
    await verify(docs)
    expect(await docs.find(1)).toEqual([after])
  }
})
