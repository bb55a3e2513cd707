import { afterAll, beforeAll, expect, test } from 'vitest'
import { places } from '../integration/address-world.ts'
import { createSyncWorld, type SyncWorld } from '../integration/sync-world.ts'
import { found, verified } from '../integration/verify-world.ts'
import { type SecuredServer, startSecuredElasticsearch } from '../support/servers/index.ts'

/**
 * A pipeline that changes documents. The servers of the tests have no processors but one, of the security module:
 * `set_security_user` writes into a document who has sent it. Whoever shows no credentials here may do everything.
 */

let server: SecuredServer
let world: SyncWorld
let pipeline: string

beforeAll(async () => {
  server = await startSecuredElasticsearch({
    users: {},
    usersRoles: '',
    roles: "everything:\n  cluster: [all]\n  indices:\n    - names: ['*']\n      privileges: [all]\n",
    anonymousRole: 'everything',
  })
  world = await createSyncWorld(undefined, server.url)
  pipeline = `${world.search.prefix}enrich`
  const who = { set_security_user: { field: 'who', properties: ['username'] } }
  expect(await world.search.request('PUT', `/_ingest/pipeline/${pipeline}`, { processors: [who] })).toEqual({
    acknowledged: true,
  })
}, 300_000)
afterAll(async () => {
  await world?.search.request('DELETE', `/_ingest/pipeline/${pipeline}`)
  await world?.drop()
  await server?.stop()
})

const row = { tenant: null, route: null, name: 'x' }

test('what it adds is refused unless the mappings have it, is indexed once they do, and is gone with the row', async () => {
  const docs = await places(world, { pipeline })
  const [index = ''] = Object.values(await docs.registered())
  await docs.put(1, row)
  await docs.mark(['1'])
  await docs.drain()
  expect(await docs.failures()).toMatchObject([
    { state: 'dead', type: 'strict_dynamic_mapping_exception', reason: expect.stringContaining('who') },
  ])

  const properties = { who: { properties: { username: { type: 'keyword' } } } }
  await world.search.request('PUT', `/${index}/_mapping`, { properties })
  await docs.mark(['1'])
  await docs.drain()
  expect(await docs.failures()).toEqual([])
  expect(await world.elasticsearch.get(index, '1')).toMatchObject({
    source: { id: 1, name: 'x', who: { username: 'anonymous' } },
  })

  // By id it is as good as any; its content is not what was sent.
  expect(await found(world, docs)).toMatchObject({ rows: 1, documents: 1, missing: 0, extra: 0 })
  expect(await verified(world, docs, { deep: true })).toMatchObject({
    state: 'failed',
    error: expect.stringContaining(`the ingest pipeline "${pipeline}" changes its documents`),
  })

  await docs.put(1, null)
  await docs.mark(['1'])
  await docs.drain()
  expect(await docs.find(1)).toEqual([])
})

test('a document that it fails on is a dead letter with its reason, until the row is gone', async () => {
  const failing = `${pipeline}-failing`
  // Beneath a text nothing can be set.
  await world.search.request('PUT', `/_ingest/pipeline/${failing}`, {
    processors: [{ set_security_user: { field: 'name.who', properties: ['username'] } }],
  })
  const docs = await places(world, { pipeline: failing })
  await docs.put(1, row)
  await docs.mark(['1'])
  await docs.drain()
  expect(await docs.failures()).toMatchObject([
    { key: '1', state: 'dead', type: 'illegal_argument_exception', attempts: 1 },
  ])
  // Deletes pass it by.
  await docs.put(1, null)
  await docs.mark(['1'])
  await docs.drain()
  expect(await docs.failures()).toEqual([])
  await world.search.request('DELETE', `/_ingest/pipeline/${failing}`)
})
