import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runBatch } from '../../src/sync/batch.ts'
import { eventually } from '../support/context.ts'
import { type Place, type Places, places } from './address-world.ts'
import { createSyncWorld, type SyncWorld } from './sync-world.ts'

/** Documents whose routing or tenant changes: each address is judged by what the row says now. */

let world: SyncWorld

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())

const at = (route: string | null, name = 'x'): Place => ({ tenant: null, route, name })
const found = (route: string | null, name = 'x') => [{ tenant: null, route, name }]

describe.each([1, 5])('a row whose routing changes, in an index of %i shards,', (shards) => {
  let docs: Places
  let id = 0
  beforeAll(async () => {
    docs = await places(world, { routing: true, shards })
  })
  const key = (route: string | null) => docs.key(id, { tenant: null, route })
  const indexedAt = async (route: string | null) => {
    id += 1
    await docs.put(id, at(route))
    await docs.mark([key(route)])
    await docs.drain()
    expect(await docs.find(id)).toEqual(found(route))
  }

  test('has one document, at the new address, by one batch', async () => {
    await indexedAt('a')
    await docs.put(id, at('b', 'moved'))
    await docs.mark([key('a'), key('b')])
    await docs.drain()
    expect(await docs.find(id)).toEqual(found('b', 'moved'))
  })

  test.each([
    ['the old address first', ['a', 'b']],
    ['the new address first', ['b', 'a']],
    ['each twice', ['b', 'a', 'b', 'a']],
    ['the old address alone', ['a']],
  ])('has one document, at the new address, by batches of %s', async (_, order) => {
    await indexedAt('a')
    await docs.put(id, at('b', 'moved'))
    for (const route of order) {
      await docs.mark([key(route)])
      await docs.drain()
    }
    expect(await docs.find(id)).toEqual(found('b', 'moved'))
  })

  test('has one document after A, B, A, C, whatever the order of marks and the size of batches', async () => {
    const orders = new Map(permutations(['a', 'b', 'a', 'c']).map((order) => [order.join(), order]))
    for (const [n, order] of [...orders.values()].entries()) {
      await indexedAt('a')
      await docs.put(id, at('b', '1'))
      await docs.put(id, at('a', '2'))
      if (n % 2 === 0) {
        // Looked at in the middle, at an address of then.
        await docs.mark([key('a'), key('b')])
        await docs.drain()
      }
      await docs.put(id, at('c', '3'))
      await docs.mark(order.map(key))
      await docs.drain({}, 1 + (n % 3))
      expect([order, await docs.find(id)]).toEqual([order, found('c', '3')])
    }
  })

  test('has one document when a batch that saw an earlier state sends after a later one', async () => {
    await indexedAt('a')
    await docs.put(id, at('b', '1'))
    await docs.mark([key('a'), key('b')])
    const gate = Promise.withResolvers<void>()
    const waiting = { sent: false }
    const late = runBatch(
      {
        ...world.context,
        elasticsearch: {
          ...world.elasticsearch,
          bulk: async (body, operations) => {
            waiting.sent = true
            await gate.promise
            return world.elasticsearch.bulk(body, operations)
          },
        },
      },
      docs.request,
    )
    await eventually(() => waiting.sent)
    await docs.put(id, at('a', '2'))
    await docs.mark([key('a'), key('b')])
    await docs.drain()
    gate.resolve()
    expect(await late).toMatchObject({ outcome: 'settled' })
    expect(await docs.find(id)).toEqual(found('a', '2'))
  })

  test('and that is deleted leaves nothing, wherever it was', async () => {
    await indexedAt('a')
    await docs.put(id, at('b'))
    await docs.mark([key('a'), key('b')])
    await docs.put(id, null)
    await docs.mark([key('b')], 'delete')
    await docs.drain()
    expect(await docs.find(id)).toEqual([])
  })

  test('between no routing, an empty one and one with odd characters is found where it belongs', async () => {
    await indexedAt(null)
    for (const [from, to, stored] of [
      [null, 'ä,b"', 'ä,b"'],
      ['ä,b"', '', null],
      ['', null, null],
      [null, ' ', ' '],
    ] as const) {
      await docs.put(id, at(to, `${to}`))
      await docs.mark([key(from), key(to)])
      await docs.drain()
      expect(await docs.find(id)).toEqual(found(stored, `${to}`))
      expect(await docs.failures()).toEqual([])
    }
  })

  test('and that Elasticsearch cannot hold any more is dead, and its old address empty', async () => {
    await indexedAt('a')
    await docs.put(id, at('b', 'unindexable'))
    await docs.mark([key('a'), key('b')])
    await docs.drain()
    expect(await docs.failures()).toMatchObject([{ key: key('b'), state: 'dead', reason: 'it says so' }])
    expect(await docs.find(id)).toEqual([])
    await docs.put(id, at('b', 'well'))
    await docs.mark([key('b')])
    await docs.drain()
    expect(await docs.failures()).toEqual([])
    expect(await docs.find(id)).toEqual(found('b', 'well'))
  })
})

function permutations(items: readonly string[]): string[][] {
  if (items.length <= 1) return [[...items]]
  return items.flatMap((item, n) =>
    permutations([...items.slice(0, n), ...items.slice(n + 1)]).map((rest) => [item, ...rest]),
  )
}
