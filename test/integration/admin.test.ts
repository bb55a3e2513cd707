import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { healthJson, httpErrorJson, readyJson } from '../../src/admin/json.ts'
import { type Snapshot, snapshotJson } from '../../src/admin/snapshot.ts'
import type { Status } from '../../src/answers/read-status.ts'
import { statusText } from '../../src/cli/status-text.ts'
import { eventually } from '../support/context.ts'
import type { Contract } from '../support/openapi-contract.ts'
import { ask, errorOf, type HeldWorld, heldWorld } from './admin-world.ts'

/** What HTTP for operators shows. Whatever it answers is held against its OpenAPI document. */

let world: HeldWorld
let url: string
let document: Record<string, unknown>
let contract: Contract

beforeAll(async () => {
  world = await heldWorld()
  url = world.admin.url
  document = world.document
  contract = world.contract
})
afterAll(() => world?.drop())

const get = (path: string) => world.get(path)
const page = <T = Record<string, unknown>>(path: string) => world.page<T>(path)

test('the OpenAPI document is one, of version 3.1', async () => {
  await page('/api/openapi.json')
  const validator = new Validator()
  const { valid, errors } = await validator.validate(structuredClone(document))
  expect(errors).toBeUndefined()
  expect([valid, validator.version]).toEqual([true, '3.1'])
})

describe('pages that read', () => {
  test('/ready, and what is in the way', async () => {
    expect(await page('/ready')).toEqual({ ready: true, reasons: [] })
    const state = () => ({ state: 'draining', reason: null, forMs: 1 }) as const
    const stopping = await world.serve({ state })
    const answer = await ask(stopping?.url ?? '', '/ready')
    expect(answer.status).toBe(503)
    contract.hold('GET', '/ready', answer)
    expect(readyJson.parse(answer.body)).toEqual({ ready: false, reasons: ['it is draining'] })
  })

  test('/health grades every component', async () => {
    const answer = await get('/health')
    const health = healthJson.parse(answer.body)
    // What others do in this cluster is not this test's.
    expect(health.components).toMatchObject({
      daemon: { status: 'healthy', value: 'running' },
      postgres: { status: 'healthy', value: 'up' },
      pending: { status: 'healthy', value: 0 },
      errorRate: { status: 'healthy', value: 0 },
      consistency: { status: 'healthy', value: null },
      documents: { status: 'healthy', value: 0 },
    })
    expect(['green', 'yellow', 'red']).toContain(health.components.elasticsearch.value)
    expect(answer.status).toBe(health.status === 'critical' ? 503 : 200)
  })

  test('/health is critical while Elasticsearch is away, and says so without its address being a secret', async () => {
    const away = { ...world.elasticsearch, clusterHealth: () => Promise.reject(new Error('gone')) }
    const server = await world.serve({ elasticsearch: away })
    const answer = await ask(server?.url ?? '', '/health')
    contract.hold('GET', '/health', answer)
    expect(answer.status).toBe(503)
    expect(healthJson.parse(answer.body)).toMatchObject({
      status: 'critical',
      components: { elasticsearch: { status: 'critical', value: 'down', reason: 'gone' } },
    })
  })

  test('status, documents, indices, workers', async () => {
    expect(await page('/api/status')).toMatchObject({ documents: [{ name: 'item', attended: true }] })
    expect(await page('/api/documents')).toMatchObject({ documents: [{ name: 'item' }], notInstalled: [] })
    expect(await page('/api/indices')).toMatchObject({ indices: [{ alias: world.index, role: 'live' }] })
    expect(await page('/api/workers')).toMatchObject({ workers: [{ instance: 'first', alive: true }] })
  })

  test('the log, page by page, each entry once', async () => {
    await world.sql(`INSERT INTO sluice.sync_log
      SELECT now() - n / 3 * interval '90 seconds', 'w' || n % 3, 'old', 'i', 'index', 'done', n, 1, NULL, 1.5 FROM generate_series(1, 30) n`)
    const seen: number[] = []
    let after = ''
    do {
      const answer = await page<{ entries: { count: number }[]; next: string | null }>(
        `/api/log?document=old&limit=7${after}`,
      )
      seen.push(...answer.entries.map(({ count }) => count))
      after = answer.next === null ? '' : `&after=${answer.next}`
    } while (after !== '')
    expect(seen).toHaveLength(30)
    expect(new Set(seen).size).toBe(30)
    expect(await page('/api/log?outcome=dead')).toEqual({ entries: [], next: null })
  })

  test('metrics, where the instance keeps some', async () => {
    expect(await get('/metrics')).toMatchObject({ status: 404 })
    const server = await world.serve({
      metrics: { contentType: 'text/plain; version=0.0.4', render: async () => 'up 1\n' },
    })
    const metrics = await ask(server?.url ?? '', '/metrics')
    contract.hold('GET', '/metrics', metrics)
    expect(metrics).toMatchObject({ status: 200, text: 'up 1\n' })
    expect(metrics.headers['content-type']).toContain('text/plain; version=0.0.4')
  })

  test('alerts that stand', async () => {
    const { pool } = world.database
    await pool.query(
      `INSERT INTO "${world.schema}".sync_alert (name, severity, reason, since, notify)
       VALUES ('drift', 'warning', 'r', '2026-01-01T00:00:00Z', false)`,
    )
    const alert = { name: 'drift', document: null, severity: 'warning', reason: 'r' }
    expect(await page('/api/alerts')).toMatchObject({
      alerts: [{ ...alert, since: '2026-01-01T00:00:00.000Z' }],
    })
    const status = await page<Status>('/api/status')
    expect(status.alerts).toEqual([{ ...alert, since: '2026-01-01T00:00:00.000Z' }])
    expect(statusText(status)).toMatch(/^warning: drift \(since 2026-01-01 00:00:00 UTC\): r\n\n/)
    await pool.query(`DELETE FROM "${world.schema}".sync_alert`)
  })

  test('the dashboard: one page and the files that it names, none of them from elsewhere', async () => {
    const { headers, text: html, status } = await get('/')
    expect(status).toBe(200)
    const policy = String(headers['content-security-policy'])
    for (const directive of ["default-src 'none'", "script-src 'self'", "style-src 'self'", 'trusted-types'])
      expect(policy).toContain(directive)
    expect(policy).not.toContain('unsafe')
    const named = [...html.matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, path = '']) => path)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((path) => !path.startsWith('/dashboard/'))).toEqual([])
    expect(html).not.toMatch(/<script>|<style| style=| on\w+=/)
    for (const path of named) {
      const asset = await get(path)
      expect(asset.status, path).toBe(200)
      expect(asset.headers['content-type']).toMatch(/^(text\/(css|javascript)|image\/svg)/)
    }
    // What they import is there, too.
    const scripts = new Set(named)
    for (const path of scripts) {
      const { text: script } = await ask(url, path)
      for (const [, file] of script.matchAll(/^(?:import|export) .*from '\.\/([\w-]+\.js)'/gm))
        expect(scripts).toContain(`/dashboard/${file}`)
    }
  })

  test('files of the dashboard are sent once, and compressed for whoever takes that', async () => {
    const first = await get('/dashboard/uplot.js')
    const etag = String(first.headers.etag)
    expect(first.headers).not.toHaveProperty('content-encoding')
    const again = await ask(url, '/dashboard/uplot.js', { headers: { 'if-none-match': etag } })
    expect(again).toMatchObject({ status: 304, text: '' })
    const packed = await fetch(`${url}/dashboard/uplot.js`, { headers: { 'accept-encoding': 'gzip' } })
    expect(packed.headers.get('content-encoding')).toBe('gzip')
    expect(await packed.text()).toBe(first.text)
  })

  test('snapshots are pushed to whoever watches', async () => {
    const watching = await fetch(`${url}/api/events`)
    expect(watching.headers.get('content-type')).toBe('text/event-stream')
    const seen: Snapshot[] = []
    let rest = ''
    for await (const text of watching.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const events = `${rest}${text}`.split('\n\n')
      rest = events.pop() ?? ''
      seen.push(
        ...events
          .filter((event) => event.startsWith('data: '))
          .map((event) => {
            const data: unknown = JSON.parse(event.slice(6))
            contract.holdEvent('/api/events', data)
            return snapshotJson.parse(data)
          }),
      )
      if (seen.length >= 2) break
    }
    expect(seen[1]?.at).not.toBe(seen[0]?.at)
    expect(seen[0]).toMatchObject({
      health: { instance: 'first' },
      known: { status: { documents: [{ name: 'item' }] } },
      problem: null,
    })
  })

  test('whoever has gone makes room for others', async () => {
    for (let n = 0; n < 20; n += 1) await (await fetch(`${url}/api/events`)).body?.cancel()
    await eventually(async () => {
      const watching = await fetch(`${url}/api/events`)
      await watching.body?.cancel()
      return watching.status === 200
    })
  })

  test('an answer that is not as documented is a fault, and not sent', async () => {
    const { pool } = world.database
    await pool.query(`
      ALTER TABLE "${world.schema}".sync_alert DROP CONSTRAINT sync_alert_severity_check;
      INSERT INTO "${world.schema}".sync_alert (name, severity, reason, since, notify)
      VALUES ('drift', 'c4narySEVERITY', 'r', now(), false)`)
    const answer = await get('/api/alerts')
    await pool.query(`DELETE FROM "${world.schema}".sync_alert`)
    expect(answer.status).toBe(500)
    expect(httpErrorJson.parse(answer.body).error.code).toBe('internal')
    expect(answer.text).not.toContain('c4nary')
  })

  test.each([
    ['/api/failures?limit=0', 400],
    ['/api/failures?state=well', 400],
    ['/api/failures?after=nonsense', 400],
    ['/api/log?limit=x', 400],
    ['/api/log?whence=1', 400],
    ['/api/runs?document=No!', 400],
    ['/api/runs/no', 404],
    ['/api/runs/999999999', 404],
    ['/api/failures?type=%00', 400],
    ['/api/failures?document=item&type=a%00', 400],
    [
      `/api/failures?after=${Buffer.from('["2026-01-01T00:00:00.000Z","\\u0000","",""]').toString('base64url')}`,
      400,
    ],
    ['/api/documents?x=%00', 400],
    ['/dashboard/nothing.js', 404],
    ['/dashboard/..%2F..%2Fapp.ts', 404],
    ['/api/nothing', 404],
    ['/api/%zz', 400],
  ])('GET %s: %i', async (path, status) => {
    const answer = await get(path)
    expect(answer.status).toBe(status)
    expect(errorOf(answer).error.message).not.toBe('')
  })

  test('what is sent with every answer', async () => {
    const { headers } = await get('/api/workers')
    expect(headers).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'x-content-type-options': 'nosniff',
      'x-frame-options': expect.any(String),
      'cache-control': 'no-store',
      'x-request-id': expect.stringMatching(/^[\da-f-]{36}$/),
    })
    expect(headers).not.toHaveProperty('access-control-allow-origin')
    expect(headers).not.toHaveProperty('x-powered-by')
  })
})

test('every page was read, as the OpenAPI document says', () => {
  expect(world.unheld('pages')).toEqual([])
})

test('no answer and no line of the log holds the token, a password or a stack', () => {
  expect(world.told().length).toBeGreaterThan(60)
  expect(world.lines.some((line) => line.includes('/api/runs/:id'))).toBe(true)
  expect(world.leaks()).toEqual([])
})
