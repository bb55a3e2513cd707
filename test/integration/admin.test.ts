import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { healthJson, httpErrorJson, readyJson } from '../../src/admin/json.ts'
import { type Snapshot, snapshotJson } from '../../src/admin/snapshot.ts'
import type { Status } from '../../src/answers/read-status.ts'
import { statusText } from '../../src/cli/status-text.ts'
import { eventually } from '../support/context.ts'
import { type Contract, contractOf } from '../support/openapi-contract.ts'
import { type AdminWorld, type Answer, adminWorld, ask, change, TOKEN } from './admin-world.ts'

/** HTTP for operators: one daemon, one server, one after the other. Whatever it answers is held against its OpenAPI document. */

let world: AdminWorld
let url: string
let document: Record<string, unknown>
let contract: Contract
const answers: Answer[] = []

beforeAll(async () => {
  world = await adminWorld()
  url = world.admin.url
  document = (await ask(url, '/api/openapi.json')).body as Record<string, unknown>
  contract = contractOf(document)
  await world.sql("INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 50) n")
  await world.settled()
})
afterAll(() => world?.drop())

async function get(path: string): Promise<Answer> {
  const answer = await ask(url, path)
  contract.hold('GET', path, answer)
  answers.push(answer)
  return answer
}

async function post(path: string, body: object = {}): Promise<Answer> {
  const answer = await change(url, path, body)
  contract.hold('POST', path, answer)
  answers.push(answer)
  return answer
}

/** What a page answers with. */
async function page<T = Record<string, unknown>>(path: string): Promise<T> {
  const answer = await get(path)
  expect(answer.status, answer.text).toBe(200)
  return answer.body as T
}

const runOf = (answer: Answer) => (answer.body as { run: { id: string } }).run
const errorOf = (answer: Answer) => httpErrorJson.parse(answer.body)

/** Until no run is under way: the next test asks for its own. */
const idle = () =>
  eventually(async () => (await page<{ runs: unknown[] }>('/api/runs?active=true')).runs.length === 0, {
    describe: async () => (await get('/api/runs')).text,
  })

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

describe('changes', () => {
  test('pause and resume', async () => {
    expect(await post('/api/documents/item/pause', { reason: 'a look' })).toMatchObject({
      status: 200,
      body: { document: 'item', state: 'paused' },
    })
    expect(await page('/api/documents')).toMatchObject({ documents: [{ state: 'paused', reason: 'a look' }] })
    expect(await post('/api/documents/item/backfill')).toMatchObject({
      status: 409,
      body: { error: { code: 'failed', message: expect.stringContaining('a look') } },
    })
    expect(await post('/api/documents/item/resume')).toMatchObject({
      status: 200,
      body: { document: 'item', state: 'active', released: 0 },
    })
  })

  test('a run is answered with its id and estimate, a second with the id of the first; cancel ends it', async () => {
    await idle()
    // Nobody takes a run of a document that nobody works on.
    await world.stop(world.instance)
    const first = await post('/api/documents/item/backfill', { where: 'id <= 10' })
    expect(first).toMatchObject({
      status: 202,
      body: {
        run: {
          kind: 'backfill',
          state: 'requested',
          options: { where: 'id <= 10' },
          requestedBy: expect.stringMatching(/^http [\da-f]{8}$/),
        },
        estimate: { total: 10, counted: 'exact' },
      },
    })
    const { id } = runOf(first)
    for (const kind of ['backfill', 'reindex', 'verify', 'optimize']) {
      expect(await post(`/api/documents/item/${kind}`)).toMatchObject({
        status: 409,
        body: { run: id, error: { code: 'run-under-way' } },
      })
    }
    expect(await page(`/api/runs/${id}`)).toMatchObject({ run: { id } })
    expect(await post(`/api/runs/${id}/cancel`)).toMatchObject({
      status: 200,
      body: { run: { id, state: 'cancelled' } },
    })
    expect(await post(`/api/runs/${id}/cancel`)).toMatchObject({ status: 409 })
  })

  test('reindex, verify and optimize are requested with what was asked for', async () => {
    for (const [path, body, options] of [
      ['reindex', { keep: '2h' }, { keepMs: 7_200_000 }],
      ['verify', { deep: true, sample: 10 }, { deep: true, sample: 10 }],
      ['optimize', { threshold: 0.5 }, { threshold: 0.5 }],
    ] as const) {
      const asked = await post(`/api/documents/item/${path}`, body)
      expect(asked).toMatchObject({
        status: 202,
        body: { run: { kind: path, options }, estimate: { total: 50, counted: 'exact' } },
      })
      expect(await post(`/api/runs/${runOf(asked).id}/cancel`)).toMatchObject({ status: 200 })
    }
    const first = await page<{ runs: { id: string }[]; next: string }>('/api/runs?limit=2')
    const second = await page<{ runs: { id: string }[] }>(`/api/runs?limit=2&after=${first.next}`)
    const ids = [...first.runs, ...second.runs].map(({ id }) => Number(id))
    expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => b - a))
    expect(ids).toHaveLength(4)
  })

  test('an index is recreated by its alias or its own name, when it is said what that does', async () => {
    const [index] = await page<{ indices: { name: string; alias: string }[] }>('/api/indices').then(
      ({ indices }) => indices,
    )
    const path = `/api/indices/${index?.alias}/recreate`
    for (const body of [{}, { confirm: true }, { confirm: 'yes' }]) {
      const refused = await post(path, body)
      expect(refused.status).toBe(400)
      expect(errorOf(refused).error.message).toContain('send {"confirm":"DELETE_ALL_DATA"}')
    }
    const confirm = { confirm: 'DELETE_ALL_DATA' }
    expect(await post('/api/indices/nothing/recreate', confirm)).toMatchObject({ status: 404 })
    const kept = `${index?.name}x`
    await world.sql(`INSERT INTO sluice.sync_index (name, document, alias, uuid, role, hash, drop_at)
      VALUES ('${kept}', 'item', '${index?.alias}', 'none', 'kept', '', now() + interval '1 day')`)
    const other = await post(`/api/indices/${kept}/recreate`, confirm)
    await world.sql(`DELETE FROM sluice.sync_index WHERE name = '${kept}'`)
    expect(other.status).toBe(409)
    expect(errorOf(other).error.remedy).toContain(index?.alias)
    for (const named of [index?.alias, index?.name]) {
      const asked = await post(`/api/indices/${named}/recreate`, confirm)
      expect(asked).toMatchObject({
        status: 202,
        body: {
          run: { kind: 'reindex', options: { recreate: true, alias: index?.alias, keepMs: 0 } },
          estimate: { total: 50, counted: 'exact' },
        },
      })
      expect(await post(path, confirm)).toMatchObject({
        status: 409,
        body: { run: runOf(asked).id, error: { code: 'run-under-way' } },
      })
      expect(await post(`/api/runs/${runOf(asked).id}/cancel`)).toMatchObject({ status: 200 })
    }
    const { rows } = await world.database.pool.query(
      `SELECT subject, asked, status FROM sluice.sync_audit WHERE action = 'POST /api/indices/:index/recreate' AND status = 202 ORDER BY id`,
    )
    expect(rows).toEqual([
      { subject: index?.alias, asked: confirm, status: 202 },
      { subject: index?.name, asked: confirm, status: 202 },
    ])
  })

  test('failures are listed page by page, retried and discarded', async () => {
    await world.sql(`INSERT INTO sluice.sync_failed
        (document, key, id, version, state, attempts, type, reason, origin, last_failed_at)
      SELECT 'item', n::text, n::text, n, 'dead', 5, 'kind ' || n % 2, 'c4naryless', pg_current_xact_id(), now() - n / 2 * interval '1 second'
        FROM generate_series(1, 9) n`)
    const seen: string[] = []
    let after = ''
    do {
      const answer = await page<{ failures: { id: string }[]; groups: unknown[]; next: string | null }>(
        `/api/failures?document=item&state=dead&limit=4${after}`,
      )
      expect(answer.groups).toHaveLength(2)
      seen.push(...answer.failures.map(({ id }) => id))
      after = answer.next === null ? '' : `&after=${answer.next}`
    } while (after !== '')
    expect(seen).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9'])
    expect(await post('/api/failures/retry')).toMatchObject({ status: 400 })
    expect(await post('/api/failures/discard', { all: true, document: 'item' })).toMatchObject({
      status: 400,
    })
    expect(await post('/api/failures/retry', { document: 'item', ids: ['77'] })).toMatchObject({
      status: 400,
    })
    expect(await post('/api/failures/retry', { document: 'item', ids: ['1', '2'] })).toMatchObject({
      status: 200,
      body: { document: 'item', type: null, count: 2 },
    })
    expect(await post('/api/failures/discard', { document: 'item', type: 'kind 1' })).toMatchObject({
      body: { type: 'kind 1', count: 4 },
    })
    expect(await post('/api/failures/discard', { all: true })).toMatchObject({
      body: { document: null, count: 3 },
    })
  })

  test.each([
    ['/api/documents/nothing/pause', {}, 404],
    ['/api/documents/nothing/resume', {}, 404],
    ['/api/documents/item/pause', { because: 'x' }, 400],
    ['/api/documents/item/backfill', { where: 'no such column' }, 400],
    ['/api/documents/item/backfill', { since: '2 hours' }, 400],
    ['/api/documents/item/verify', { sample: 1.5 }, 400],
    ['/api/documents/item/verify', { repair: 'rewrite' }, 400],
    ['/api/documents/item/verify', { deletes: true }, 400],
    ['/api/documents/item/reindex', { keep: 'long' }, 400],
    ['/api/documents/item/reindex', { rollback: true }, 409],
    ['/api/documents/item/optimize', { threshold: 2 }, 400],
    ['/api/runs/999999999/cancel', {}, 404],
    // Postgres can keep neither of these in a text.
    ['/api/documents/item/pause', { reason: 'a\0' }, 400],
    ['/api/documents/item/pause', { reason: 'a\ud800b' }, 400],
    ['/api/documents/item/pause', { 'a\0': 1 }, 400],
    ['/api/documents/item/backfill', { where: "name = '\0'" }, 400],
    ['/api/documents/item/backfill', { tenant: '\udc00' }, 400],
    ['/api/failures/retry', { document: 'item', ids: ['1', '\0'] }, 400],
    ['/api/failures/discard', { document: 'item', type: '\0' }, 400],
    ['/api/indices/a%00/recreate', { confirm: 'DELETE_ALL_DATA' }, 400],
  ])('POST %s %j: %i', async (path, body, status) => {
    const answer = await post(path, body)
    expect(answer.status, answer.text).toBe(status)
    expect(errorOf(answer).error.message).not.toBe('')
  })

  test('are audited, whatever came of them', async () => {
    const { rows } = await world.database.pool.query(
      'SELECT action, subject, asked, status, outcome, who, address, instance FROM sluice.sync_audit ORDER BY id',
    )
    expect(rows[0]).toEqual({
      action: 'POST /api/documents/:name/pause',
      subject: 'item',
      asked: { reason: 'a look' },
      status: 200,
      outcome: 'done',
      who: expect.stringMatching(/^[\da-f]{8}$/),
      address: '127.0.0.1',
      instance: 'first',
    })
    expect(rows).toContainEqual(
      expect.objectContaining({ subject: 'item', status: 409, outcome: 'run-under-way' }),
    )
    expect(rows).toContainEqual(
      expect.objectContaining({ subject: 'nothing', status: 404, outcome: 'not-found' }),
    )
    expect(rows.filter(({ status }) => status === null)).toEqual([])
  })

  test('nothing is done of which no word can be written', async () => {
    await world.sql('ALTER TABLE sluice.sync_audit ADD CONSTRAINT shut CHECK (id < 0) NOT VALID')
    const answer = await post('/api/documents/item/pause')
    await world.sql('ALTER TABLE sluice.sync_audit DROP CONSTRAINT shut')
    expect(answer.status).toBeGreaterThanOrEqual(409)
    expect(await page('/api/documents')).toMatchObject({ documents: [{ state: 'active' }] })
  })
})

test('every page was read, and every change made and refused, as the OpenAPI document says', () => {
  const paths = Object.entries(document.paths as Record<string, Record<string, object>>)
  const missing = paths.flatMap(([path, methods]) => {
    const held = (method: string, statuses: RegExp) =>
      [...contract.held].some((one) => one.startsWith(`${method} ${path} `) && statuses.test(one))
    return [
      ...(methods.get === undefined || held('GET', / 200$/) ? [] : [`GET ${path}`]),
      ...(methods.post === undefined || held('POST', / 20[02]$/) ? [] : [`POST ${path}`]),
      ...(methods.post === undefined || held('POST', / 4\d\d$/) ? [] : [`POST ${path}, refused`]),
    ]
  })
  expect(missing).toEqual([])
})

test('no answer and no line of the log holds the token, a password or a stack', async () => {
  const { password } = new URL(world.database.url)
  const all = [...answers.map(({ text, headers }) => text + JSON.stringify(headers)), ...world.lines]
  expect(all.length).toBeGreaterThan(60)
  expect(world.lines.some((line) => line.includes('/api/documents/:name/pause'))).toBe(true)
  for (const secret of [TOKEN, `:${password}@`, 'node_modules', '.ts:']) {
    expect(all.filter((text) => text.includes(secret))).toEqual([])
  }
})
