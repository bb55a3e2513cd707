import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../support/context.ts'
import { type Answer, errorOf, type HeldWorld, heldWorld } from './admin-world.ts'

/** What HTTP for operators changes, one after the other. Whatever it answers is held against its OpenAPI document. */

let world: HeldWorld

beforeAll(async () => {
  world = await heldWorld()
})
afterAll(() => world?.drop())

const get = (path: string) => world.get(path)
const post = (path: string, body?: object) => world.post(path, body)
const page = <T = Record<string, unknown>>(path: string) => world.page<T>(path)
const runOf = (answer: Answer) => (answer.body as { run: { id: string } }).run

/** Until no run is under way: the next test asks for its own. */
const idle = () =>
  eventually(async () => (await page<{ runs: unknown[] }>('/api/runs?active=true')).runs.length === 0, {
    describe: async () => (await get('/api/runs')).text,
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

test('every change was made and refused, as the OpenAPI document says', () => {
  expect(world.unheld('changes')).toEqual([])
})

test('no answer and no line of the log holds the token, a password or a stack', () => {
  expect(world.told().length).toBeGreaterThan(60)
  expect(world.lines.some((line) => line.includes('/api/documents/:name/pause'))).toBe(true)
  expect(world.leaks()).toEqual([])
})
