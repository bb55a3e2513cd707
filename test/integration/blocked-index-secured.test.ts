import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/context.ts'
import { type SecuredServer, startSecuredElasticsearch } from '../support/servers/index.ts'
import type { Started } from './cli-support.ts'
import { type OutagesWorld, outagesWorld } from './outages-world.ts'

/** A document with two indices, as during a reindex, of which sluice's user may write one only. */

let server: SecuredServer
let world: OutagesWorld
let daemon: Started
let building: string

/** Begins the name of the index that sluice may not write. */
const FORBIDDEN = 'forbidden-'
/** Whoever shows no password, as the tests do, may look and administrate; so may every user, who may write `t…` besides. */
const roles = `
anybody:
  cluster: [all]
  indices:
    - names: ['*']
      privileges: [read, manage]
most:
  indices:
    - names: ['t*']
      privileges: [all]
`

beforeAll(async () => {
  server = await startSecuredElasticsearch({
    users: { sluice: 'correct horse' },
    usersRoles: 'most:sluice\n',
    roles,
    anonymousRole: 'anybody',
  })
  world = await outagesWorld({
    elasticsearch: server.url,
    env: { ELASTICSEARCH_URL: server.url },
    dotenv: 'ELASTICSEARCH_USERNAME=sluice\nELASTICSEARCH_PASSWORD=correct horse\n',
  })
  building = `${FORBIDDEN}${world.indices.item}`
  const mappings = { properties: { id: { type: 'integer' }, name: { type: 'keyword' } } }
  await world.search.request('PUT', `/${building}`, { mappings })
  const settings = (await world.search.request('GET', `/${building}/_settings`)) as Settings
  await world.database.pool.query(
    `INSERT INTO sluice.sync_index (name, document, alias, uuid, role, hash) VALUES ($1, 'item', $2, $3, 'building', 'h')`,
    [building, world.indices.item, settings[building]?.settings.index.uuid],
  )
}, 300_000)
afterAll(async () => {
  daemon?.process.kill('SIGTERM')
  await daemon?.ended
  await world?.drop()
  await server?.stop()
})

type Settings = Readonly<Record<string, { readonly settings: { readonly index: { readonly uuid: string } } }>>

const nameInBuilding = async (id: number) => {
  const answer = await world.search.request('GET', `/${building}/_doc/${id}`)
  return (answer as { _source?: { name: string } })._source?.name
}

test('what may not be written waits, uncharged, and everything else goes on; with the privilege it is written', async () => {
  daemon = await world.run()
  for (let id = 1; id <= 20; id++) await world.write('item', id, 'first')
  await world.arrives('item', 20, 'first')
  await eventually(
    async () =>
      expect((await world.worker()).pauses).toContainEqual(
        expect.objectContaining({ document: 'item', index: building, type: 'security_exception' }),
      ),
    { describe: async () => ({ indexed: await nameInBuilding(20), log: daemon.output() }) },
  )
  await world.write('item', 1, 'second')
  await world.arrives('item', 1, 'second')
  await world.write('other', 1, 'elsewhere')
  await world.arrives('other', 1, 'elsewhere')
  expect((await world.worker()).state).toBe('running')
  expect(await nameInBuilding(1)).toBeUndefined()

  await server.setUsersRoles('superuser:sluice\n')
  await world.recovers()
  expect([await nameInBuilding(1), await nameInBuilding(20)]).toEqual(['second', 'first'])
}, 120_000)
