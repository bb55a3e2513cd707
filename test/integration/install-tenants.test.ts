import { afterAll, beforeAll, expect, test } from 'vitest'
import { readDocuments } from '../../src/queue/read-documents.ts'
import { readTargets } from '../../src/queue/read-targets.ts'
import { makeTenantIndices } from '../../src/sync/tenant-indices.ts'
import { type Definitions, type InstallWorld, installWorld } from './install-world.ts'

/** Install of a document with an index for each tenant. The tests follow each other. */

let world: InstallWorld
let pattern: string

beforeAll(async () => {
  world = await installWorld()
  pattern = `${world.server.prefix}city-{tenant}`
  await world.database.pool.query('CREATE TABLE city (id int PRIMARY KEY, name text, tenant text)')
})
afterAll(() => world.drop())

const definitions = (more: object = {}, index = pattern): Definitions => ({
  city: { table: 'city', index, tenant: 'tenant', ...more },
})
const alias = (tenant: string) => pattern.replace('{tenant}', tenant)

/** As the daemon does when the first rows of tenants come. */
async function make(...tenants: string[]): Promise<readonly string[]> {
  const { pool } = world.database
  const [document] = await readDocuments(pool, world.schema)
  if (document === undefined) throw new Error('nothing is installed')
  const client = await pool.connect()
  const wanted = new Map(tenants.map((tenant) => [alias(tenant), []]))
  const made = await makeTenantIndices(client, world, document, wanted)
  client.release()
  expect(made.failures).toEqual([])
  return made.targets.map(({ index }) => index)
}

const registered = async () =>
  (await readTargets(world.database.pool, world.schema, 'city')).map(({ index }) => index).sort()

test('puts the template that guards them, and creates no index', async () => {
  const { plan } = await world.install(definitions())
  expect(plan.steps.map(({ what }) => what)).toContain(
    `index template for ${world.server.prefix}city-*-2*-*; the daemon makes an index for each tenant when it comes`,
  )
  expect(await registered()).toEqual([])
  const stray = `${alias('a')}-20260101000000-abcdef`
  const answer = await world.server.request('PUT', `/${stray}/_doc/1`, { id: 1 })
  expect(answer).toMatchObject({ error: expect.anything() })
  expect(await world.elasticsearch.indexUuid(stray)).toBeNull()
  expect((await world.install(definitions())).plan.steps).toEqual([])
})

test('extends the mappings of all that the daemon has made', async () => {
  const made = await make('a', 'b')
  expect(await registered()).toEqual([...made].sort())
  const mappings = { properties: { more: { type: 'keyword' } } }
  const { plan } = await world.install(definitions({ mappings }))
  expect(plan.steps.map(({ what }) => what)).toContain(`mappings of 2 indices of ${pattern}: more`)
  for (const index of made)
    expect(await world.elasticsearch.getMappings(index)).toMatchObject({
      properties: { more: { type: 'keyword' } },
    })
  expect((await world.install(definitions({ mappings }))).plan.steps).toEqual([])
  const settings = { refresh_interval: '7s' }
  expect((await world.install(definitions({ mappings, settings }))).plan.reindexes).toMatchObject([
    { document: 'city', why: expect.stringContaining('settings: an index keeps') },
  ])
  await expect(world.install(definitions({ mappings }, `${pattern}-v2`))).rejects.toThrow('cannot move to')
})

test('forgets one that is gone, and asks for a backfill', async () => {
  const mappings = { properties: { more: { type: 'keyword' } } }
  const [gone, stays] = await registered()
  await world.elasticsearch.deleteIndex(gone ?? '')
  const { plan } = await world.install(definitions({ mappings }))
  expect(plan.steps.map(({ what }) => what)).toEqual(
    expect.arrayContaining([
      `index ${gone}, which is gone, from the list`,
      'backfill of city: its index was gone',
    ]),
  )
  expect(await registered()).toEqual([stays])
})

test('is undone with all of them and their template', async () => {
  await make('a', 'c')
  await world.uninstall('city')
  expect(await world.elasticsearch.indexUuids(`${world.server.prefix}*`)).toEqual(new Map())
  const template = await world.server.request('GET', `/_index_template/sluice-${world.server.prefix}*`)
  expect(JSON.stringify(template)).not.toContain('managed_by')
})
