import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/context.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type SecuredServer, startSecuredElasticsearch } from '../support/servers/index.ts'
import type { Started } from './cli-support.ts'
import { type OutagesWorld, outagesWorld } from './outages-world.ts'

/** A credential that expires: the daemon waits, says so, and goes on with the next one or with the same one, unaided. */

let server: SecuredServer
let proxy: FaultProxy
let world: OutagesWorld
let daemon: Started
let secret = 0
let id = 0

const dotenv = (password: string) => `ELASTICSEARCH_USERNAME=sluice\nELASTICSEARCH_PASSWORD=${password}\n`
/** As a request shows them. */
const basic = (password: string) => `Basic ${Buffer.from(`sluice:${password}`).toString('base64')}`

beforeAll(async () => {
  server = await startSecuredElasticsearch({
    users: { sluice: 'at the beginning' },
    usersRoles: 'superuser:sluice\n',
    // The tests look without a password.
    anonymousRole: 'superuser',
  })
  proxy = await startFaultProxy(server.url)
  world = await outagesWorld({
    elasticsearch: server.url,
    env: { ELASTICSEARCH_URL: proxy.url },
    dotenv: dotenv('at the beginning'),
  })
}, 300_000)
afterAll(async () => {
  await world?.drop()
  await proxy?.close()
  await server?.stop()
})
beforeEach(async () => {
  secret += 1
  id += 1
  await world.database.pool.query('TRUNCATE sluice.sync_worker')
  await server.setUsers({ sluice: `old secret ${secret}` })
  await world.place.write('.env', dotenv(`old secret ${secret}`))
})
afterEach(async () => {
  daemon.process.kill('SIGTERM')
  expect((await daemon.ended).code).toBe(0)
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

describe('an expired credential', () => {
  test('that is replaced in .env: the next probe shows the new one, without a restart', async () => {
    await expire()
    // Half of it first, as an editor may leave it for a moment: refused, and read again.
    await world.place.write('.env', 'ELASTICSEARCH_USERNAME=sluice\n')
    await probes(1, `old secret ${secret}`)
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
