import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkPipeline } from '../../src/capture/check-pipeline.ts'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { runBatch } from '../../src/sync/batch.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { places } from './address-world.ts'
import { createSyncWorld, type SyncWorld } from './sync-world.ts'

/** Documents that go through an ingest pipeline. The server of the tests has no processors: an empty one is all it can. */

let world: SyncWorld
let pipeline: string

beforeAll(async () => {
  world = await createSyncWorld()
  pipeline = `${world.search.prefix}enrich`
  await world.search.request('PUT', `/_ingest/pipeline/${pipeline}`, { processors: [] })
})
afterAll(async () => {
  await world.search.request('DELETE', `/_ingest/pipeline/${pipeline}`)
  await world.drop()
})

const row = { tenant: null, route: null, name: 'x' }

test('documents go through it, and deletes pass it by', async () => {
  const docs = await places(world, { pipeline })
  await docs.put(1, row)
  await docs.mark(['1', '2'])
  expect(await docs.drain()).toMatchObject({ outcome: 'settled', obstacle: null })
  expect(await docs.find(1)).toEqual([row])
  expect(await docs.failures()).toEqual([])
})

test('one that is missing is named at install', async () => {
  const docs = await places(world, { pipeline: 'no such one' })
  await expect(checkPipeline(world.elasticsearch, docs.plan)).rejects.toThrow(
    `documents.${docs.document}.pipeline: got "no such one", and Elasticsearch has no ingest pipeline of this name`,
  )
  await checkPipeline(world.elasticsearch, { ...docs.plan, pipeline })
  await checkPipeline(world.elasticsearch, { ...docs.plan, pipeline: null })
})

test.each([true, false])(
  'one that vanished stops its documents and charges nobody (tenants: %s)',
  async (tenants) => {
    const docs = await places(world, { pipeline: `${pipeline}-gone`, tenants })
    const at = { ...row, tenant: tenants ? 'a' : null }
    await docs.put(1, at)
    await docs.mark([docs.key(1, at)])
    const result = await runBatch(world.context, docs.request)
    // Parked for its tenant's index, or given back with the whole document.
    expect(result).toMatchObject(
      tenants
        ? { outcome: 'settled' }
        : {
            outcome: 'given-back',
            obstacle: { scope: 'document', reason: expect.stringContaining(pipeline) },
          },
    )
    expect(await docs.failures()).toEqual([])
    expect(await world.pendingKeys()).toBeGreaterThan(0)
  },
)

test('a document that it drops is done', async () => {
  const docs = await places(world, { pipeline })
  await docs.put(1, row)
  await docs.mark(['1'])
  const proxy = await startFaultProxy(world.search.url)
  const elasticsearch = connectElasticsearch({ url: proxy.url }, { requestTimeoutMs: 10_000 })
  proxy.break('/_bulk', {
    kind: 'answer',
    status: 200,
    contentType: 'application/json',
    body: '{"took":1,"errors":false,"items":[{"index":{"status":200,"result":"noop"}}]}',
  })
  expect(await runBatch({ ...world.context, elasticsearch }, docs.request)).toMatchObject({
    outcome: 'settled',
    obstacle: null,
  })
  await elasticsearch.close()
  await proxy.close()
  expect(await docs.failures()).toEqual([])
  expect(await docs.drain()).toEqual({ outcome: 'empty' })
})
