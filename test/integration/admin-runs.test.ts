import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { oneRunJson, startedJson } from '../../src/admin/json.ts'
import type { runJson } from '../../src/answers/json/run.ts'
import { eventually } from '../support/context.ts'
import { type AdminWorld, adminWorld, ask, change } from './admin-world.ts'
import { type Gate, startGate } from './instances-world.ts'

/**
 * What HTTP asks for, as it is done: a daemon takes each run, whoever asked follows it by `GET /api/runs/:id`, and then looks
 * into the index. Each test goes on from where the one before has left the document.
 */

type Run = z.infer<typeof runJson>

const ROWS = 50
/** Rows 1 to 40 changed yesterday, the others just now. */
const OLD = 40

/** The brake lets so many unexplained deletes pass, however small the index is. */
const ALWAYS_ALLOWED = 1_000

let world: AdminWorld
let gate: Gate

beforeAll(async () => {
  world = await adminWorld()
  gate = await startGate(world.server.url)
  // In the place of the world's: an answer of Elasticsearch may be long in coming here, and that is no failure.
  await world.stop(world.instance)
  world.start('second', { elasticsearch: gate.url, limits: { requestTimeout: 60_000 } })
  await world.sql(`
    ALTER TABLE item ADD COLUMN changed_at timestamptz;
    INSERT INTO item (id, name, changed_at)
    SELECT n, 'item ' || n, now() - CASE WHEN n <= ${OLD} THEN interval '1 day' ELSE interval '0' END
      FROM generate_series(1, ${ROWS}) n`)
  await world.settled()
})
afterAll(async () => {
  await gate?.open()
  await world?.drop()
  await gate?.close()
})

/** Asks for a run; returns its id. */
async function start(path: string, body: object = {}): Promise<string> {
  const answer = await change(world.admin.url, path, body)
  expect(answer.status, answer.text).toBe(202)
  return startedJson.parse(answer.body).run.id
}

/** The run, once it is done; a run that ends otherwise says why. */
async function done(id: string): Promise<Run> {
  const look = async () => oneRunJson.parse((await ask(world.admin.url, `/api/runs/${id}`)).body).run as Run
  const run = await eventually(
    async () => {
      const seen = await look()
      return ['done', 'failed', 'cancelled'].includes(seen.state) ? seen : null
    },
    { timeoutMs: 60_000, describe: look },
  )
  expect(run, run.error ?? '').toMatchObject({ id, state: 'done', worker: 'second' })
  return run
}

const carriedOut = async (path: string, body: object = {}) => done(await start(path, body))

const remove = (id: number) => world.server.request('DELETE', `/${world.index}/_doc/${id}?refresh=true`)

async function count(): Promise<number> {
  await world.elasticsearch.refresh(world.index)
  return world.elasticsearch.count(world.index)
}

async function holds(id: string): Promise<boolean> {
  const answer = (await world.server.request('GET', `/${world.index}/_doc/${id}`)) as { found?: boolean }
  return answer.found === true
}

/** The index that searches find behind the alias. */
async function living(): Promise<string> {
  const behind = (await world.server.request('GET', `/_alias/${world.index}`)) as object
  const names = Object.keys(behind)
  expect(names).toHaveLength(1)
  return names[0] ?? ''
}

describe('runs that HTTP asks for, to their end', () => {
  test('a backfill since a time brings back what has changed since, and nothing else', async () => {
    await remove(1)
    await remove(ROWS)
    const run = await carriedOut('/api/documents/item/backfill', { since: '1 hour', column: 'changed_at' })
    expect(run).toMatchObject({ walked: ROWS - OLD, processed: ROWS - OLD, failed: 0 })
    expect(run.requestedBy).toMatch(/^http /)
    expect([await holds(String(ROWS)), await holds('1')]).toEqual([true, false])
  })

  test('a verify finds the other one, and puts it back', async () => {
    const run = await carriedOut('/api/documents/item/verify', { repair: 'all' })
    expect(run.result).toMatchObject({ comparison: { missing: 1, extra: 0, left: { missing: 0, extra: 0 } } })
    await world.settled()
  })

  test('a reindex moves the alias to a new index, and a rollback moves it back', async () => {
    const before = await living()
    await carriedOut('/api/documents/item/reindex')
    const after = await living()
    expect(after).not.toBe(before)
    await world.settled()
    // Written to both, so that the way back loses nothing.
    await world.sql(`UPDATE item SET name = 'between' WHERE id = 2`)
    await world.settled()
    await carriedOut('/api/documents/item/reindex', { rollback: true })
    expect(await living()).toBe(before)
    await world.settled()
  })

  test('an index that is recreated is empty at once, and has the rows again at the end', async () => {
    await world.server.request('PUT', `/${world.index}/_doc/nonsense?refresh=true`, { name: 'by hand' })
    expect(await holds('nonsense')).toBe(true)
    const before = await living()
    gate.shut()
    const id = await start(`/api/indices/${world.index}/recreate`, { confirm: 'DELETE_ALL_DATA' })
    // The rows are on their way, and held up.
    await eventually(async () => expect([gate.held > 0, await count()]).toEqual([true, 0]))
    await gate.open()
    await done(id)
    expect(await living()).not.toBe(before)
    expect(await holds('nonsense')).toBe(false)
    await world.settled()
  })

  test('deletes that the brake holds back are carried out by a resume that says so', async () => {
    const extra = ALWAYS_ALLOWED + 100
    const ids = Array.from({ length: extra }, (_, n) => String(ROWS + 1 + n))
    await fetch(new URL(`/${world.index}/_bulk?refresh=true`, world.server.url), {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: ids.map((_id) => `${JSON.stringify({ index: { _id } })}\n{"name":"no row"}\n`).join(''),
    })
    expect(await count()).toBe(ROWS + extra)
    const run = await carriedOut('/api/documents/item/verify', { repair: 'extra' })
    expect(run.result).toMatchObject({ comparison: { extra } })
    const parked = (await count()) - ROWS
    expect(parked).toBeGreaterThan(0)
    expect(run.deleted).toBe(extra - parked)
    const resumed = await change(world.admin.url, '/api/documents/item/resume', { deletes: true })
    expect(resumed).toMatchObject({ status: 200, body: { document: 'item', released: parked } })
    await world.settled()
  })
})
