import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/context.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type SecuredServer, startSecuredElasticsearch } from '../support/servers/index.ts'
import type { Started } from './cli-support.ts'
import { type OutagesWorld, outagesWorld } from './outages-world.ts'

/**
 * A credential that expires, and a privilege that is missing: the daemon waits, says so, and goes on with the next one or
 * with the same one, unaided.
 */

let server: SecuredServer
let world: OutagesWorld
let daemon: Started

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

const dotenv = (password: string) => `ELASTICSEARCH_USERNAME=sluice\nELASTICSEARCH_PASSWORD=${password}\n`
/** As a request shows them. */
const basic = (password: string) => `Basic ${Buffer.from(`sluice:${password}`).toString('base64')}`

beforeAll(async () => {
  server = await startSecuredElasticsearch({
    users: { sluice: 'at the beginning' },
    usersRoles: 'superuser:sluice\n',
    roles,
    anonymousRole: 'anybody',
  })
}, 300_000)
afterAll(() => server?.stop())
afterEach(async () => {
  daemon.process.kill('SIGTERM')
  expect((await daemon.ended).code).toBe(0)
})

describe('an expired credential', () => {
  let proxy: FaultProxy
  let secret = 0
  let id = 0

  beforeAll(async () => {
    proxy = await startFaultProxy(server.url)
    world = await outagesWorld({
      elasticsearch: server.url,
      env: { ELASTICSEARCH_URL: proxy.url },
      dotenv: dotenv('at the beginning'),
    })
  })
  afterAll(async () => {
    await world?.drop()
    await proxy?.close()
  })
  beforeEach(async () => {
    secret += 1
    id += 1
    await world.database.pool.query('TRUNCATE sluice.sync_worker')
    await server.setUsers({ sluice: `old secret ${secret}` })
    await world.place.write('.env', dotenv(`old secret ${secret}`))
  })

  /** Starts a daemon, lets it work, and has its credential expire while there is work. */
  async function expire(env: Readonly<Record<string, string>> = {}): Promise<void> {
    daemon = await world.run(env)
    await world.write('item', id, 'before')
    await world.arrives('item', id, 'before')
    await server.setUsers({ sluice: `new secret ${secret}` })
    await eventually(async () => {
      const answer = await fetch(server.url, { headers: { authorization: basic(`old secret ${secret}`) } })
      return answer.status === 401
    })
    await world.write('item', id, 'during')
    await eventually(
      async () =>
        expect(await world.worker()).toMatchObject({
          alive: true,
          state: 'waiting',
          reason: expect.stringMatching(/unable to authenticate.*check ELASTICSEARCH_API_KEY.*expired/),
        }),
      { describe: () => daemon.output() },
    )
    expect((await world.status()).documents[0]).toMatchObject({ pendingKeys: 1, retrying: 0, dead: 0 })
  }

  /** Further requests that were made with this credential, probes all of them. */
  async function probes(count: number, password: string): Promise<void> {
    const already = proxy.authorizations.length
    await eventually(() => proxy.authorizations.length >= already + count, { timeoutMs: 45_000 })
    expect(proxy.authorizations.slice(already).every((shown) => shown === basic(password))).toBe(true)
  }

  test('that is replaced in .env: the next probe shows the new one, without a restart', async () => {
    await expire()
    // Nothing and half of it first, as an editor may leave it for a moment: refused, and read again. This server lets in
    // who shows no credential, and lets nobody of them write.
    for (const text of ['', 'ELASTICSEARCH_USERNAME=sluice\n']) {
      await world.place.write('.env', text)
      await probes(1, `old secret ${secret}`)
    }
    await world.place.write('.env', dotenv(`new secret ${secret}`))
    await world.arrives('item', id, 'during')
    expect(proxy.authorizations.at(-1)).toBe(basic(`new secret ${secret}`))
    await eventually(async () => expect((await world.worker()).state).toBe('running'))
    await world.recovers()
    expect(daemon.output()).not.toContain('secret')
  })

  test('that becomes valid again is used again', async () => {
    await expire()
    await server.setUsers({ sluice: `old secret ${secret}` })
    await world.arrives('item', id, 'during')
    await world.recovers()
  })

  test('that comes from the environment is not overridden by .env', async () => {
    await expire({ ELASTICSEARCH_PASSWORD: `old secret ${secret}` })
    await world.place.write('.env', dotenv(`new secret ${secret}`))
    await probes(2, `old secret ${secret}`)
    expect((await world.worker()).state).toBe('waiting')
    await server.setUsers({ sluice: `old secret ${secret}` })
    await world.arrives('item', id, 'during')
    await world.recovers()
  })

  test('is not shown to another address: one that .env names as well needs a restart', async () => {
    const elsewhere = await startFaultProxy(server.url)
    try {
      // The address comes from .env in this test, and not from the environment.
      const env = { ELASTICSEARCH_URL: '' }
      await world.place.write('.env', `ELASTICSEARCH_URL=${proxy.url}\n${dotenv(`old secret ${secret}`)}`)
      await expire(env)
      await world.place.write('.env', `ELASTICSEARCH_URL=${elsewhere.url}\n${dotenv(`new secret ${secret}`)}`)
      await probes(2, `old secret ${secret}`)
      expect(elsewhere.seen).toEqual([])
    } finally {
      await elsewhere.close()
    }
  })
})

describe('a missing privilege', () => {
  let building: string
  /** It takes the server a second to notice. */
  const isKnownAs = (role: string) =>
    eventually(async () => {
      const headers = { authorization: basic('correct horse') }
      const answer = await fetch(new URL('_security/_authenticate', server.url), { headers })
      return answer.ok && (await answer.text()).includes(`"${role}"`)
    })

  beforeAll(async () => {
    await server.setUsers({ sluice: 'correct horse' })
    await isKnownAs('superuser')
    world = await outagesWorld({
      elasticsearch: server.url,
      env: { ELASTICSEARCH_URL: server.url },
      dotenv: dotenv('correct horse'),
    })
    building = `${FORBIDDEN}${world.indices.item}`
    const mappings = { properties: { id: { type: 'integer' }, name: { type: 'keyword' } } }
    await world.search.request('PUT', `/${building}`, { mappings })
    const settings = (await world.search.request('GET', `/${building}/_settings`)) as IndexSettings
    await world.database.pool.query(
      `INSERT INTO sluice.sync_index (name, document, alias, uuid, role, hash) VALUES ($1, 'item', $2, $3, 'building', 'h')`,
      [building, world.indices.item, settings[building]?.settings.index.uuid],
    )
    await server.setUsersRoles('most:sluice\n')
    await isKnownAs('most')
  })
  afterAll(() => world?.drop())

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
})

type IndexSettings = Readonly<
  Record<string, { readonly settings: { readonly index: { readonly uuid: string } } }>
>
