import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeBulk } from '../../src/elasticsearch/bulk.ts'
import {
  connectElasticsearch,
  type Elasticsearch,
  elasticsearchOver,
} from '../../src/elasticsearch/client.ts'
import { physicalName } from '../../src/elasticsearch/names.ts'
import type { Operation } from '../../src/elasticsearch/types.ts'
import { BAD_TITLE, MemoryElasticsearch } from '../simulation/memory-elasticsearch.ts'
import { AtOnce, actor } from '../simulation/scheduler.ts'
import { testElasticsearch } from '../support/context.ts'

/** The indices that the simulation is built on: the same cases, of them and of real ones. */

interface IndexWorld {
  readonly client: Elasticsearch
  makeIndex(): Promise<string>
  /** Of an index that there is none of. */
  readonly missing: string
  block(index: string, blocked: boolean): Promise<void>
  /** A document that no index takes. */
  readonly refused: object
  drop(): Promise<void>
}

function memoryIndices(): IndexWorld {
  const memory = new MemoryElasticsearch()
  let serial = 0
  return {
    client: elasticsearchOver(memory.http(new AtOnce(), actor('test'), 1_000), { requestTimeoutMs: 1_000 }),
    makeIndex: async () => {
      const name = `index-${++serial}`
      memory.makeIndex(name)
      return name
    },
    block: async (index, blocked) => {
      if (blocked) memory.blocked.add(index)
      else memory.blocked.delete(index)
    },
    missing: 'index-0',
    refused: { title: BAD_TITLE },
    drop: async () => {},
  }
}

function realIndices(): IndexWorld {
  const search = testElasticsearch()
  const client = connectElasticsearch({ url: search.url }, { requestTimeoutMs: 30_000 })
  let serial = 0
  const alias = `${search.prefix}simulated`
  const name = () => physicalName(alias, new Date(), `n${++serial}`)
  return {
    client,
    missing: name(),
    makeIndex: async () => {
      await client.putTemplate(alias)
      const index = name()
      const mappings = { dynamic: 'strict', properties: { title: { type: 'keyword' } } }
      await client.createIndex({ name: index, mappings, settings: { number_of_replicas: 0 } })
      return index
    },
    block: async (index, blocked) => {
      await search.request('PUT', `/${index}/_settings`, { 'index.blocks.write': blocked })
    },
    refused: { title: { no: 'text' } },
    drop: async () => {
      await client.deleteTemplate(alias)
      await search.drop()
      await client.close()
    },
  }
}

describe.each([
  ['in memory', memoryIndices],
  ['of Elasticsearch', realIndices],
] as const)('the indices %s', (_, open) => {
  let world: IndexWorld
  beforeAll(() => {
    world = open()
  })
  afterAll(() => world?.drop())

  const put = (index: string, id: string, body: object = { title: id }): Operation => ({
    kind: 'index',
    index,
    id,
    key: id,
    body: Buffer.from(JSON.stringify(body)),
  })
  const remove = (index: string, id: string): Operation => ({ kind: 'delete', index, id, key: id })
  const bulk = (version: bigint, ...operations: Operation[]) =>
    world.client.bulk(encodeBulk(operations, version), operations)
  const version = 9_007_199_254_740_993n

  test('take a version again, and none below it, of documents and of what was deleted', async () => {
    const index = await world.makeIndex()
    expect(await bulk(version, put(index, 'a'), remove(index, 'never'))).toMatchObject({
      outcome: 'answered',
      items: [
        { outcome: 'done', result: 'created' },
        { outcome: 'done', result: 'absent' },
      ],
    })
    const lost = { outcome: 'superseded', stored: version }
    expect(await bulk(version - 1n, put(index, 'a'), put(index, 'never'), remove(index, 'a'))).toMatchObject({
      items: [lost, lost, lost],
    })
    expect(await bulk(version, put(index, 'a'), remove(index, 'a'), put(index, 'a'))).toMatchObject({
      items: [{ result: 'updated' }, { result: 'deleted' }, { result: 'created' }],
    })
    expect(await world.client.get(index, 'a')).toMatchObject({ found: true, version: String(version) })
    expect(await world.client.get(index, 'never')).toMatchObject({ found: false })
    const looked = [put(index, 'a'), put(index, 'never')]
    expect(await world.client.existing(looked)).toEqual([true, false])
  })

  // The second of each pair is OpenSearch's.
  test('refuse a document, a write while they take none, and a name that is none, each item for itself', async () => {
    const [one, two] = [await world.makeIndex(), await world.makeIndex()]
    await world.block(two, true)
    expect(
      await bulk(5n, put(one, 'a', world.refused), put(two, 'a'), put(world.missing, 'a'), put(one, 'b')),
    ).toMatchObject({
      items: [
        { outcome: 'dead', type: expect.stringMatching(/^(document|mapper)_parsing_exception$/) },
        { outcome: 'blocked', type: 'cluster_block_exception' },
        { outcome: 'blocked', type: expect.stringMatching(/^(index_not_found|illegal_argument)_exception$/) },
        { outcome: 'done', result: 'created' },
      ],
    })
    await world.block(two, false)
    expect(await bulk(6n, put(two, 'a'))).toMatchObject({ items: [{ result: 'created' }] })
    expect(await world.client.ping()).toMatchObject({ outcome: 'answered' })
  })
})
