import { beforeAll, describe, expect, it } from 'vitest'
import { encodeBulk } from '../../src/elasticsearch/bulk.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import type { TestElasticsearch } from '../support/context.ts'
import { describeIndices } from './elasticsearch-contract-indices.ts'
import { describeListings } from './elasticsearch-contract-listings.ts'
import { type ContractServer, contractWorld, put, remove } from './elasticsearch-contract-world.ts'

/** What sluice asks of a server, on whichever is given: one build works with them all. */
export function describeClient(title: string, server: () => ContractServer): void {
  describe(title, () => {
    const world = contractWorld(server)
    const { newName, newIndex, bulk, exists } = world
    let test: TestElasticsearch
    let client: Elasticsearch

    beforeAll(() => {
      test = world.test
      client = world.client
    })

    it('says what it is', async () => {
      const info = await client.info()
      expect(info).toEqual({ product: server().product, version: expect.stringMatching(server().version) })
      expect(await client.ping()).toMatchObject({ outcome: 'answered' })
    })

    describe('versions', () => {
      const version = 1_800_000_000_000_000n

      it('let an equal one win and an older one lose, which says what is stored', async () => {
        const index = await newIndex()
        expect(await bulk(version, put(index, 'a'))).toEqual([{ outcome: 'done', result: 'created' }])
        expect(await bulk(version, put(index, 'a'))).toEqual([{ outcome: 'done', result: 'updated' }])
        const lost = { outcome: 'superseded', stored: version }
        expect(await bulk(version - 1n, put(index, 'a'), remove(index, 'a'))).toEqual([lost, lost])
        expect(await client.get(index, 'a')).toMatchObject({ found: true, version: String(version) })
      })

      it('are kept to the last digit, beyond 2^53 too', async () => {
        const index = await newIndex()
        const large = 9_007_199_254_740_993n
        await bulk(large, put(index, 'a', { name: 'x', population: 1 }))
        expect(await client.get(index, 'a')).toMatchObject({ version: '9007199254740993' })
        expect(await bulk(large - 1n, put(index, 'a'))).toEqual([{ outcome: 'superseded', stored: large }])
        await bulk(2n ** 63n - 1n, put(index, 'a'))
        expect(await client.get(index, 'a')).toMatchObject({ version: '9223372036854775807' })
      })

      it('outlive a delete, of a document that was there or not', async () => {
        const index = await newIndex()
        await bulk(version, put(index, 'a'))
        expect(await bulk(version + 1n, remove(index, 'a'), remove(index, 'never'))).toEqual([
          { outcome: 'done', result: 'deleted' },
          { outcome: 'done', result: 'absent' },
        ])
        const lost = { outcome: 'superseded', stored: version + 1n }
        expect(await bulk(version, put(index, 'a'), put(index, 'never'))).toEqual([lost, lost])
        expect(await client.get(index, 'a')).toEqual({
          index,
          id: 'a',
          found: false,
          version: null,
          source: null,
        })
      })
    })

    it('gives each of many operations on several indices its own verdict', async () => {
      const [one, two] = [await newIndex(), await newIndex()]
      const operations = Array.from({ length: 1_000 }, (_, n) =>
        n % 10 === 9
          ? remove(two, String(n))
          : put(n % 2 ? one : two, String(n), n % 7 === 3 ? { population: 'SECRET' } : { name: 'x' }),
      )
      const verdicts = await bulk(5n, ...operations)
      expect(verdicts).toHaveLength(1_000)
      verdicts.forEach((verdict, n) => {
        if (n % 10 === 9) expect(verdict).toEqual({ outcome: 'done', result: 'absent' })
        else if (n % 7 === 3)
          expect(verdict).toMatchObject({
            outcome: 'dead',
            reason: 'failed to parse field [population] of type [long]: not a number',
          })
        else expect(verdict).toEqual({ outcome: 'done', result: 'created' })
      })
    })

    it('keeps ids and texts as they are', async () => {
      const index = await newIndex()
      const ids = ['a"b\\c', 'ünï/cødé ☃ 😀', 'a:b%3A', ' ', 'x'.repeat(512), '__proto__', 'tab\tnewline\n']
      await bulk(5n, ...ids.map((id) => put(index, id, { name: id })))
      for (const id of ids)
        expect(await client.get(index, id)).toMatchObject({ found: true, source: { name: id } })
      await client.refresh(index)
      const listed: string[] = []
      for await (const page of client.listDocuments(index)) listed.push(...page.map(({ id }) => id))
      expect(listed.sort()).toEqual(ids.sort())
    })

    it('refuses a request for one id that is too long, as a whole', async () => {
      const index = await newIndex()
      const operations = [put(index, 'good'), put(index, 'x'.repeat(513))]
      const answer = await client.bulk(encodeBulk(operations, 5n), operations)
      expect(answer).toMatchObject({
        outcome: 'refused',
        reason: 'id is too long, must be no longer than 512 bytes',
      })
    })

    describe('an index that cannot be written', () => {
      it('is not created by an operation when it is missing', async () => {
        const [one, two] = [newName(), newName()]
        const verdicts = await bulk(5n, put(one, 'a'), remove(two, 'a'))
        expect(verdicts.map(({ outcome }) => outcome)).toEqual(['blocked', 'blocked'])
        expect([await exists(one), await exists(two)]).toEqual([false, false])
      })

      it.each([
        ['read_only', true],
        ['read_only_allow_delete', true],
        ['write', true],
      ])('with index.blocks.%s is blocked, while others are written', async (block, value) => {
        const [blocked, other] = [await newIndex(), await newIndex()]
        await test.request('PUT', `/${blocked}/_settings`, { [`index.blocks.${block}`]: value })
        const [first, second] = await bulk(5n, put(blocked, 'a'), put(other, 'a'))
        expect(first).toMatchObject({
          outcome: 'blocked',
          type: 'cluster_block_exception',
          reason: expect.stringContaining(blocked),
        })
        expect(second).toMatchObject({ outcome: 'done' })
        await test.request('PUT', `/${blocked}/_settings`, { [`index.blocks.${block}`]: null })
        expect(await bulk(5n, put(blocked, 'a'))).toMatchObject([{ outcome: 'done' }])
      })

      it('is blocked while it is closed', async () => {
        const index = await newIndex()
        await test.request('POST', `/${index}/_close`)
        expect(await bulk(5n, put(index, 'a'), remove(index, 'a'))).toMatchObject([
          { outcome: 'blocked', type: 'index_closed_exception' },
          { outcome: 'blocked', type: 'index_closed_exception' },
        ])
        expect(await exists(index)).toBe(true)
      })

      it('charges nobody while its shard is away', async () => {
        const impatient = connectElasticsearch({ url: server().url }, { requestTimeoutMs: 2_000 })
        const name = newName()
        await test.request('PUT', `/${name}?wait_for_active_shards=0&timeout=1s`, {
          settings: {
            'index.routing.allocation.require.nowhere': 'x',
            ...(server().product === 'opensearch' ? { 'index.sort.field': [] } : {}),
          },
        })
        const operations = [put(name, 'a', { name: 'SECRET' })]
        const answer = await impatient.bulk(encodeBulk(operations, 5n), operations)
        expect(answer).toMatchObject({
          outcome: 'answered',
          items: [{ outcome: 'retry', charged: false, type: 'unavailable_shards_exception' }],
        })
        expect(JSON.stringify(answer)).not.toContain('SECRET')
        await impatient.close()
      })

      it('is blocked when its mapping is full and every document wants a field', async () => {
        const name = newName()
        await client.createIndex({
          name,
          mappings: {},
          settings: { 'index.mapping.total_fields.limit': 2, number_of_replicas: 0 },
        })
        const [verdict] = await bulk(5n, put(name, 'a', { a: 1, b: 2, c: 3, d: 4 }))
        expect(verdict).toMatchObject({
          outcome: 'blocked',
          reason: 'Limit of total fields [2] has been exceeded',
        })
      })
    })

    describeIndices(world)
    describeListings(world)
  })
}
