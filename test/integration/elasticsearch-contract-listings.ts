import { beforeAll, describe, expect, it } from 'vitest'
import type { Elasticsearch } from '../../src/elasticsearch/client.ts'
import { IncompleteError } from '../../src/errors.ts'
import type { TestElasticsearch } from '../support/context.ts'
import { type ContractWorld, put, remove } from './elasticsearch-contract-world.ts'

/** Listings of all documents of an index. */
export function describeListings(world: ContractWorld): void {
  const { newIndex, bulk } = world
  let test: TestElasticsearch
  let client: Elasticsearch

  beforeAll(() => {
    test = world.test
    client = world.client
  })

  describe('a listing', () => {
    /** Of this index: other tests have theirs on the same server. */
    const openContexts = async (index: string): Promise<number> => {
      const stats = await test.request('GET', `/${index}/_stats/search`)
      return (stats as { _all: { total: { search: { open_contexts: number } } } })._all.total.search
        .open_contexts
    }

    it('has every id once, nested documents aside, and frees its context whether read to the end or not', async () => {
      const index = await newIndex()
      const operations = Array.from({ length: 25_000 }, (_, n) =>
        put(index, String(n), { name: 'x', parts: [{ n }, { n }] }),
      )
      for (let n = 0; n < operations.length; n += 5_000) await bulk(5n, ...operations.slice(n, n + 5_000))
      await client.refresh(index)
      expect(await client.count(index)).toBe(25_000)

      const pages: string[][] = []
      for await (const page of client.listDocuments(index)) pages.push(page.map(({ id }) => id))
      expect(pages.map((page) => page.length)).toEqual([10_000, 10_000, 5_000])
      expect(new Set(pages.flat()).size).toBe(25_000)
      expect(await openContexts(index)).toBe(0)

      for await (const page of client.listDocuments(index)) {
        expect(page).toHaveLength(10_000)
        expect(await openContexts(index)).toBeGreaterThan(0)
        break
      }
      expect(await openContexts(index)).toBe(0)
    })

    it('of an empty index is empty', async () => {
      const index = await newIndex()
      expect(await client.listDocuments(index).next()).toEqual({ done: true, value: undefined })
    })

    it('at one moment are counted by their ids, whatever is written after it', async () => {
      const index = await newIndex({ number_of_shards: 2 })
      const nested = { name: 'n', parts: [{ n: 1 }, { n: 2 }] }
      await bulk(1n, ...['a', 'b', 'c'].map((id) => put(index, id, nested)))
      await client.refresh(index)
      const moment = await client.pointInTime(index)
      if (moment === null) throw new Error('no point in time')
      await bulk(2n, put(index, 'd'), remove(index, 'a'))
      await client.refresh(index)
      expect(await moment.count()).toEqual({ documents: 3, routed: 0 })
      expect(await moment.countIds(['a', 'b', 'd', 'x'])).toBe(2)
      expect(await moment.countIds([])).toBe(0)
      const newest = await moment.newest(10)
      expect(newest.map(({ id }) => id).sort()).toEqual(['a', 'b', 'c'])
      await moment.close()
      await expect(moment.count()).rejects.toThrow(IncompleteError)

      await bulk(3n, { ...put(index, 'e'), routing: 'r' })
      await client.refresh(index)
      const later = await client.pointInTime(index)
      expect(await later?.count()).toEqual({ documents: 4, routed: 1 })
      expect(await later?.newest(1)).toHaveLength(1)
      await later?.close()
      await expect(client.pointInTime(`${index}-none`)).rejects.toThrow(/index_not_found/)
    })
  })
}
