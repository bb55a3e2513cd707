import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { healthJson } from '../../src/admin/json.ts'
import { DEFAULT_ALERTS } from '../../src/config/alerts.ts'
import { readConditions } from '../../src/queue/read-conditions.ts'
import { type AdminWorld, adminWorld, ask } from './admin-world.ts'

/** What /health makes of rows, held against the conditions that alerts are raised by. Nothing here waits for the daemon. */

let world: AdminWorld
beforeAll(async () => {
  world = await adminWorld()
  // From here on rows are the test's: nobody works on the document, and nobody writes of himself that he does.
  await world.stop(world.instance)
  await world.sql('TRUNCATE sluice.sync_worker')
})
afterAll(() => world?.drop())
afterEach(async () => {
  await world.sql('TRUNCATE sluice.sync_worker, sluice.sync_failed')
  await world.sql('DELETE FROM sluice.sync_run')
})

async function health() {
  return healthJson.parse((await ask(world.admin.url, '/health')).body).components
}

/** Names of the conditions of the document that are due. */
async function due(): Promise<readonly string[]> {
  const conditions = await readConditions(world.database.pool, world.schema, DEFAULT_ALERTS)
  return conditions.filter((condition) => condition.due).map(({ name }) => name)
}

const worker = (hash: string, pauses: string) =>
  world.sql(`INSERT INTO sluice.sync_worker (instance, host, pid, version, state, documents, pauses)
    SELECT 'w', 'h', 1, '1', 'running', jsonb_build_object(name, ${hash}), ${pauses} FROM sluice.sync_document`)

test('a document that no daemon works on, for none has its definition', async () => {
  await world.sql(`UPDATE sluice.sync_document SET changed_at = now() - interval '2 minutes'`)
  await worker(`'another'`, `'[]'`)
  expect(await due()).toEqual(['no_worker'])
  expect((await health()).documents).toMatchObject({
    status: 'degraded',
    value: 1,
    reason: 'item: no daemon works on it: sluice run',
  })
})

test('dead letters, however long ago the last one', async () => {
  await worker('hash', `'[]'`)
  await world.sql(`INSERT INTO sluice.sync_failed
      (document, key, id, version, state, attempts, type, reason, origin, first_failed_at, last_failed_at)
    SELECT 'item', n::text, n::text, n, 'dead', 5, 't', 'r', pg_current_xact_id(), now() - interval '2 days', now() - interval '2 days'
      FROM generate_series(1, 1001) n`)
  expect(await due()).toEqual(['dead_letters'])
  expect((await health()).documents).toMatchObject({
    status: 'degraded',
    reason: 'item: more than 1000 documents cannot be indexed: sluice failed list item',
  })
})

test('sending that is paused', async () => {
  await worker(
    'hash',
    `jsonb_build_array(jsonb_build_object('document', name, 'index', 'items-1', 'type', 't', 'reason', 'is closed', 'since', now() - interval '2 minutes'))`,
  )
  expect(await due()).toEqual(['sending_paused'])
  expect((await health()).documents).toMatchObject({ status: 'degraded', reason: 'item: items-1: is closed' })
})

test('nothing of all this', async () => {
  await worker('hash', `'[]'`)
  expect(await due()).toEqual([])
  expect((await health()).documents).toMatchObject({ status: 'healthy', value: 0 })
})

const verified = (state: string, comparison: object, at = 'now()') =>
  world.sql(
    `INSERT INTO sluice.sync_run (kind, document, state, options, result, finished_at) VALUES ('verify', 'item', $1, $3, $2, ${at})`,
    [
      state,
      { comparison: { rows: 100, documents: 50, stale: 0, extra: 0, ...comparison } },
      { repair: 'all' },
    ],
  )

test('what the last full verify left, though a sample of rows has found nothing since', async () => {
  await worker('hash', `'[]'`)
  await verified('done', { missing: 50, sample: null })
  await verified('done', { missing: 0, sample: 10 })
  expect(await due()).toEqual(['drift'])
  expect((await health()).consistency).toMatchObject({
    status: 'critical',
    value: 0.5,
    reason: expect.stringMatching(
      /^the verify of item of less than a minute ago left 50 differences: sluice verify/,
    ),
  })
})

test('what a repair left that failed', async () => {
  await worker('hash', `'[]'`)
  await verified('failed', { missing: 100, left: { missing: 50, stale: 0, extra: 0 } })
  expect(await due()).toEqual(['drift', 'run_failed'])
  expect(await health()).toMatchObject({
    consistency: { status: 'critical', value: 0.5 },
    documents: { status: 'degraded', reason: expect.stringContaining('the last verify failed') },
  })
})

test('how long ago nothing was found; nothing is said of before a reindex or rewrite', async () => {
  await worker('hash', `'[]'`)
  await verified('done', { missing: 0 }, `now() - interval '400 days'`)
  expect((await health()).consistency).toMatchObject({
    status: 'healthy',
    value: 0,
    reason: 'the last verify of each document left no difference; the oldest is of 400 days ago',
  })
  await verified('done', { missing: 50 })
  expect((await health()).consistency.status).toBe('critical')
  await world.sql(`INSERT INTO sluice.sync_run (kind, document, state, options, finished_at)
    VALUES ('verify', 'item', 'done', '{"repair": "rewrite"}', now())`)
  expect(await due()).toEqual([])
  expect((await health()).consistency).toMatchObject({
    status: 'healthy',
    value: null,
    reason: 'nothing was verified since it was written anew, or ever',
  })
})
