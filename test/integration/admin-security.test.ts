import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { httpErrorJson } from '../../src/admin/json.ts'
import type { AdminServer } from '../../src/admin/server.ts'
import { type AdminWorld, adminWorld, ask, change, TOKEN } from './admin-world.ts'

/** Who may do what over HTTP. */

let world: AdminWorld
let url: string
/** Listens for other machines. */
let open: AdminServer
let openUrl: string

beforeAll(async () => {
  world = await adminWorld()
  url = world.admin.url
  const server = await world.serve({ settings: { host: '0.0.0.0' } })
  if (server === null) throw new Error('no free port')
  open = server
  openUrl = `http://127.0.0.1:${new URL(open.url).port}`
})
afterAll(() => world?.drop())

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const codeOf = (answer: { readonly body: unknown }) => httpErrorJson.parse(answer.body).error.code

describe('the token', () => {
  test.each([
    ['none', {}],
    ['a wrong one', bearer('c4naryTOKENc4naryTOKEm')],
    ['a part of it', bearer(TOKEN.slice(0, -1))],
    ['more than it', bearer(`${TOKEN}x`)],
    ['an empty one', { authorization: 'Bearer ' }],
    ['as a password', { authorization: `Basic ${btoa(`x:${TOKEN}`)}` }],
  ])('changes are refused with %s', async (_, headers) => {
    const answer = await ask(url, '/api/documents/item/pause', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{}',
    })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="sluice"')
    expect(codeOf(answer)).toBe('unauthorized')
    expect(await world.value("SELECT state FROM sluice.sync_document WHERE name = 'item'")).toBe('active')
  })

  test.each(['/health', '/ready', '/metrics', '/api/status', '/api/openapi.json', '/api/nothing'])(
    'GET %s needs it where other machines are let in, and none on this machine',
    async (path) => {
      expect((await ask(openUrl, path)).status).toBe(401)
      expect((await ask(openUrl, path, { headers: bearer('wrong, wrong, wrong') })).status).toBe(401)
      expect((await ask(openUrl, path, { headers: bearer(TOKEN) })).status).not.toBe(401)
      expect((await ask(url, path)).status).not.toBe(401)
      // A wrong one is a mistake everywhere.
      expect((await ask(url, path, { headers: bearer('wrong') })).status).toBe(401)
    },
  )

  test('without one set, nothing can be changed', async () => {
    const server = await world.serve({ settings: { token: null } })
    const answer = await change(server?.url ?? '', '/api/documents/item/pause', {}, bearer('x'))
    expect(answer).toMatchObject({
      status: 401,
      body: { error: { message: 'that is not the token, for none is set' } },
    })
    const bare = await ask(server?.url ?? '', '/api/documents/item/pause', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(bare).toMatchObject({
      status: 403,
      body: { error: { remedy: expect.stringContaining('ADMIN_TOKEN') } },
    })
  })
})

describe('the Host header', () => {
  test.each(['evil.example', 'evil.example:9187', '127.0.0.1.evil.example', 'localhost.evil.example', 'a b'])(
    '"%s" is not ours',
    async (host) => {
      const answer = await ask(url, '/api/status', { headers: { host } })
      expect([400, 421]).toContain(answer.status)
      expect(answer.text).not.toContain('documents')
    },
  )

  test.each(['localhost', 'LOCALHOST:9187', '127.0.0.1', '[::1]:9187', '10.1.2.3', 'search.internal:80'])(
    '"%s" is',
    async (host) => {
      expect((await ask(url, '/api/workers', { headers: { host } })).status).toBe(200)
    },
  )
})

describe('pages of another origin', () => {
  test.each([
    [{ origin: 'http://evil.example' }],
    [{ origin: 'null' }],
    [{ origin: 'http://127.0.0.1:1' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
  ])('%j may change nothing, even with the token', async (headers) => {
    const answer = await change(url, '/api/documents/item/pause', {}, headers)
    expect(answer.status).toBe(403)
    expect(codeOf(answer)).toBe('forbidden')
  })

  test('our own may', async () => {
    const own = { origin: url, 'sec-fetch-site': 'same-origin' }
    expect((await change(url, '/api/documents/item/pause', {}, own)).status).toBe(200)
    expect((await change(url, '/api/documents/item/resume', {}, own)).status).toBe(200)
  })

  test('no page is told that it may', async () => {
    const answer = await ask(url, '/api/documents/item/pause', {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
    })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

describe('bodies', () => {
  test.each([
    ['a form', 'application/x-www-form-urlencoded', 'reason=x', 415],
    ['text', 'text/plain', '{}', 415],
    ['nothing', '', '{}', 415],
    ['no JSON', 'application/json', '{"reason": c4nary', 400],
    ['a prototype', 'application/json', '{"__proto__": {"reason": "x"}}', 400],
    ['no object', 'application/json', '[]', 400],
    ['a megabyte', 'application/json', JSON.stringify({ reason: 'x'.repeat(1e6) }), 413],
  ])('%s is refused', async (_, type, body, status) => {
    const answer = await ask(url, '/api/documents/item/pause', {
      method: 'POST',
      headers: { ...bearer(TOKEN), ...(type === '' ? {} : { 'content-type': type }) },
      body,
    })
    expect(answer.status).toBe(status)
    expect(httpErrorJson.parse(answer.body).error.message).not.toContain('c4nary')
  })
})

describe('the log', () => {
  test('tells who was refused and why, and never the token', async () => {
    const refused = world.lines.map((line) => JSON.parse(line)).filter(({ status }) => status === 401)
    expect(refused.length).toBeGreaterThan(5)
    expect(refused[0]).toMatchObject({
      level: 40,
      method: 'POST',
      route: '/api/documents/:name/pause',
      from: '127.0.0.1',
      requestId: expect.any(String),
      ms: expect.any(Number),
    })
    expect(world.lines.filter((line) => line.includes('c4nary'))).toEqual([])
  })
})

describe('the rate', () => {
  test('of changes is limited, and of guesses', async () => {
    const server = await world.serve()
    const guess = () =>
      change(server?.url ?? '', '/api/failures/retry', {}, { authorization: 'Bearer guess' })
    for (let n = 0; n < 60; n += 1) expect((await guess()).status).toBe(401)
    const refused = await guess()
    expect(refused.status).toBe(429)
    expect(codeOf(refused)).toBe('too-many-requests')
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect((await change(server?.url ?? '', '/api/documents/item/pause')).status).toBe(429)
    expect((await ask(server?.url ?? '', '/ready')).status).toBe(200)
  })
})

describe('guesses', () => {
  test('are limited for reads as well: after sixty, no token of that address is looked at', async () => {
    const server = await world.serve({ settings: { host: '0.0.0.0' } })
    const own = server?.url.replace('0.0.0.0', '127.0.0.1') ?? ''
    const read = (headers: Record<string, string>) => ask(own, '/api/status', { headers })
    // Who has forgotten it has guessed nothing.
    for (let n = 0; n < 70; n += 1) expect((await read({})).status).toBe(401)
    for (let n = 0; n < 60; n += 1) expect((await read(bearer(`guess ${n}`))).status).toBe(401)
    const refused = await read(bearer('guess'))
    expect(refused.status).toBe(429)
    expect(codeOf(refused)).toBe('too-many-requests')
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    // Nor is the right one, or whoever guesses would see which it is.
    expect((await read(bearer(TOKEN))).status).toBe(429)
    expect((await change(own, '/api/documents/item/pause')).status).toBe(429)
    expect((await ask(own, '/')).status).toBe(200)
  })
})

describe('a proxy', () => {
  const through = (address: string) => ({ 'x-forwarded-for': address })

  test('that is trusted says who asks: for the audit, for limits, and for who reads without a token', async () => {
    const server = await world.serve({ settings: { trustedProxies: ['127.0.0.0/8'] } })
    const own = server?.url ?? ''
    // What a client has made up comes first: it is the last one that our proxy has added.
    const one = through('1.2.3.4, 203.0.113.7')
    const reason = { reason: 'by proxy' }
    expect((await change(own, '/api/documents/item/pause', reason, one)).status).toBe(200)
    expect((await change(own, '/api/documents/item/resume', {}, one)).status).toBe(200)
    expect(
      await world.value(`SELECT address FROM sluice.sync_audit WHERE asked ->> 'reason' = 'by proxy'`),
    ).toBe('203.0.113.7')
    for (let n = 0; n < 58; n += 1)
      expect((await change(own, '/api/runs/999999999/cancel', {}, one)).status).toBe(404)
    expect((await change(own, '/api/runs/999999999/cancel', {}, one)).status).toBe(429)
    const other = await change(own, '/api/runs/999999999/cancel', {}, through('203.0.113.8'))
    expect(other.status).toBe(404)
    expect((await ask(own, '/api/workers', { headers: one })).status).toBe(401)
    expect((await ask(own, '/api/workers')).status).toBe(200)
  })

  test('that is not trusted is believed nothing', async () => {
    for (const trustedProxies of [[], ['10.0.0.0/8']]) {
      const server = await world.serve({ settings: { trustedProxies } })
      const reason = `by a stranger ${trustedProxies.length}`
      const answer = await change(
        server?.url ?? '',
        '/api/documents/item/pause',
        { reason },
        through('203.0.113.7'),
      )
      expect(answer.status).toBe(200)
      await change(server?.url ?? '', '/api/documents/item/resume')
      expect(
        await world.value(`SELECT address FROM sluice.sync_audit WHERE asked ->> 'reason' = '${reason}'`),
      ).toBe('127.0.0.1')
    }
  })
})

describe('whoever watches', () => {
  test('needs the token where reads do; the page that asks for it needs none', async () => {
    const server = await world.serve({ settings: { host: '0.0.0.0' } })
    const own = server?.url.replace('0.0.0.0', '127.0.0.1') ?? ''
    expect((await ask(own, '/api/events')).status).toBe(401)
    expect((await ask(own, '/api/status')).status).toBe(401)
    expect((await ask(own, '/')).status).toBe(200)
    expect((await ask(own, '/dashboard/main.js')).status).toBe(200)
    expect((await ask(own, '/', { headers: { host: 'evil.example' } })).status).toBe(421)
  })
})
