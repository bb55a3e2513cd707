import { afterAll, beforeAll } from 'vitest'
import { encodeBulk } from '../../src/elasticsearch/bulk.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import { physicalName } from '../../src/elasticsearch/names.ts'
import type { ItemVerdict, Operation } from '../../src/elasticsearch/types.ts'
import { type TestElasticsearch, testElasticsearch } from '../support/context.ts'

export interface ContractServer {
  readonly url: string
  readonly product: string
  readonly version: RegExp
}

/** A server's client, and indices to try it on. */
export interface ContractWorld {
  readonly client: Elasticsearch
  readonly test: TestElasticsearch
  readonly alias: string
  /** Of an index that there is none of. */
  newName(): string
  newIndex(settings?: object): Promise<string>
  bulk(version: bigint, ...operations: Operation[]): Promise<readonly ItemVerdict[]>
  exists(index: string): Promise<boolean>
}

export const mappings = {
  dynamic: 'strict',
  properties: {
    name: { type: 'keyword' },
    population: { type: 'long' },
    parts: { type: 'nested', properties: { n: { type: 'long' } } },
  },
}

/** For the tests of the `describe` that it is called in; the server is asked for when they begin. */
export function contractWorld(server: () => ContractServer): ContractWorld {
  let test: TestElasticsearch
  let client: Elasticsearch
  let alias: string
  let serial = 0

  beforeAll(async () => {
    test = testElasticsearch(server().url)
    client = connectElasticsearch({ url: server().url }, { requestTimeoutMs: 30_000 })
    alias = `${test.prefix}cities`
    await client.putTemplate(alias)
  })
  afterAll(async () => {
    await client?.deleteTemplate(alias)
    await test?.drop()
    await client?.close()
  })

  const newName = (): string => physicalName(alias, new Date(), `n${serial++}`)
  return {
    get client() {
      return client
    },
    get test() {
      return test
    },
    get alias() {
      return alias
    },
    newName,
    newIndex: async (settings = {}) => {
      const name = newName()
      await client.createIndex({ name, mappings, settings: { number_of_replicas: 0, ...settings } })
      return name
    },
    bulk: async (version, ...operations) => {
      const answer = await client.bulk(encodeBulk(operations, version), operations)
      if (answer.outcome !== 'answered') throw new Error(JSON.stringify(answer))
      return answer.items
    },
    exists: async (index) => (await client.indexUuid(index)) !== null,
  }
}

export const put = (index: string, id: string, body: object = { name: id }): Operation => ({
  kind: 'index',
  index,
  id,
  key: id,
  body: Buffer.from(JSON.stringify(body)),
})

export const remove = (index: string, id: string): Operation => ({ kind: 'delete', index, id, key: id })
