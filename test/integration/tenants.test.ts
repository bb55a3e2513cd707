import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runBatch } from '../../src/sync/batch.ts'
import {
  foundOfTenant as found,
  keyOfTenant as key,
  ofTenant as of,
  type Place,
  type Places,
  places,
} from './address-world.ts'
import { createSyncWorld, noneBlocked, SCHEMA, type SyncWorld } from './sync-world.ts'

/** Documents with an index for each tenant, made by the daemon when a row comes. */

let world: SyncWorld

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())

describe('a row of a tenant', () => {
  let docs: Places
  beforeAll(async () => {
    docs = await places(world, { tenants: true })
  })

  test('gets an index of its own, with the mappings, the settings and the alias of its tenant', async () => {
    await docs.put(1, of('a'))
    await docs.put(2, of('b'))
    await docs.mark([key(docs, 1, 'a'), key(docs, 2, 'b')])
    await docs.drain()
    expect([await docs.find(1), await docs.find(2)]).toEqual([found('a'), found('b')])
    const alias = docs.plan.index.replace('{tenant}', 'a')
    const index = (await docs.registered())[alias] ?? ''
    expect(await world.elasticsearch.aliasTargets(alias)).toEqual({ indices: [index], concrete: false })
    expect(await world.elasticsearch.getMappings(index)).toMatchObject({
      properties: { name: { type: 'keyword' } },
      _meta: { sluice: { schema: SCHEMA, document: docs.document } },
    })
    expect(await world.elasticsearch.getSettings(index)).toMatchObject({
      'index.number_of_replicas': '0',
      'index.gc_deletes': '1h',
    })
  })

  test('that moves to another is there alone, whatever the order of batches', async () => {
    await docs.put(3, of('a'))
    await docs.mark([key(docs, 3, 'a')])
    await docs.drain()
    let from = 'a'
    for (const [to, together] of [
      ['b', true],
      ['c', false],
      ['a', false],
    ] as const) {
      await docs.put(3, of(to, to))
      if (together) await docs.mark([key(docs, 3, from), key(docs, 3, to)])
      else {
        await docs.mark([key(docs, 3, to)])
        await docs.drain()
        await docs.mark([key(docs, 3, from)])
      }
      await docs.drain()
      expect(await docs.find(3)).toEqual(found(to, to))
      from = to
    }
  })

  test('never shares an index by case or by a character', async () => {
    const before = Object.keys(await docs.registered()).length
    const tenants = ['A', 'ä', '', null, '_41', 'a-b']
    for (const [n, tenant] of tenants.entries()) await docs.put(10 + n, of(tenant))
    await docs.mark(tenants.map((tenant, n) => key(docs, 10 + n, tenant)))
    await docs.drain()
    expect(Object.keys(await docs.registered())).toHaveLength(before + tenants.length)
    expect(await docs.failures()).toEqual([])
  })

  test('whose name makes too long an index name is dead, and alone', async () => {
    const long = 'x'.repeat(250)
    await docs.put(20, of(long))
    await docs.put(21, of('a'))
    await docs.mark([key(docs, 20, long), key(docs, 21, 'a')])
    await docs.drain()
    expect(await docs.failures()).toMatchObject([
      {
        key: key(docs, 20, long),
        state: 'dead',
        reason: expect.stringContaining('is longer than 233 bytes'),
      },
    ])
    expect(await docs.find(21)).toEqual(found('a'))
    await docs.put(20, of('a'))
    await docs.mark([key(docs, 20, long), key(docs, 20, 'a')])
    await docs.drain()
    expect(await docs.failures()).toEqual([])
  })

  test('that is gone before its tenant has an index makes none', async () => {
    const before = await docs.registered()
    await docs.mark([key(docs, 30, 'nobody')], 'delete')
    expect(await docs.drain()).toMatchObject({ outcome: 'settled' })
    expect(await docs.registered()).toEqual(before)
  })
})

describe('a tenant whose index takes no writes', () => {
  test('waits, uncharged, while the others go on, and gets all of it afterwards', async () => {
    const docs = await places(world, { tenants: true })
    await docs.put(1, of('a'))
    await docs.put(2, of('b'))
    await docs.mark([key(docs, 1, 'a'), key(docs, 2, 'b')])
    await docs.drain()
    const index = (await docs.registered())[docs.plan.index.replace('{tenant}', 'a')] ?? ''
    const block = (write: boolean) =>
      world.search.request('PUT', `/${index}/_settings`, { 'index.blocks.write': write })
    await block(true)
    const context = { ...world.context, blocked: noneBlocked() }

    await docs.put(1, of('a', 'later'))
    await docs.mark([key(docs, 1, 'a')])
    // The only tenant of its batch: the document is not paused for it.
    expect(await runBatch(context, docs.request)).toMatchObject({ outcome: 'settled', obstacle: null })
    await docs.put(2, of('b', 'now'))
    await docs.mark([key(docs, 1, 'a'), key(docs, 2, 'b')])
    expect(await runBatch(context, docs.request)).toMatchObject({ outcome: 'settled', obstacle: null })
    expect(await docs.find(2)).toEqual(found('b', 'now'))
    expect(await docs.failures()).toEqual([])
    const { rows } = await world.database.pool.query(
      `SELECT DISTINCT lane, target, keys FROM "${SCHEMA}".sync_queue WHERE document = $1`,
      [docs.document],
    )
    expect(rows).toEqual([{ lane: 2, target: index, keys: [key(docs, 1, 'a')] }])

    await block(false)
    expect(await runBatch(context, { ...docs.request, lane: 2, target: index })).toMatchObject({
      outcome: 'settled',
    })
    expect(await docs.find(1)).toEqual(found('a', 'later'))
  })
})

test('a tenant’s index and a routing go together', async () => {
  const docs = await places(world, { tenants: true, routing: true, shards: 5 })
  const moves: readonly (readonly [string, string])[] = [
    ['a', 'r'],
    ['a', 's'],
    ['b', 's'],
    ['a', 'r'],
  ]
  let from: Place | null = null
  for (const [tenant, route] of moves) {
    const to: Place = { tenant, route, name: tenant + route }
    await docs.put(1, to)
    await docs.mark([...(from === null ? [] : [docs.key(1, from)]), docs.key(1, to)])
    await docs.drain()
    expect(await docs.find(1)).toEqual([to])
    from = to
  }
})

test('rows that moved are no deletes that the brake counts', async () => {
  const docs = await places(world, { tenants: true })
  await docs.put(1, of('a'))
  await docs.mark([key(docs, 1, 'a')])
  await docs.drain()
  await docs.put(1, of('b'))
  await docs.mark([key(docs, 1, 'a')], 'orphan')
  await docs.mark([key(docs, 1, 'b')], 'backfill')
  await docs.drain()
  expect(await docs.find(1)).toEqual(found('b'))
  const { rows } = await world.database.pool.query(
    `SELECT deletes FROM "${SCHEMA}".sync_brake WHERE document = $1`,
    [docs.document],
  )
  expect(rows).toEqual([])
})
