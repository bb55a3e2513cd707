import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { UnreachableError } from '../../src/errors.ts'
import type { RunContext } from '../../src/runs/context.ts'
import { executeRun } from '../../src/runs/execute.ts'
import { RunInterrupted } from '../../src/runs/interrupted.ts'
import { cancelRun, finishRun, takeRun } from '../../src/runs/lifecycle.ts'
import { readRun } from '../../src/runs/read-runs.ts'
import type { Run, RunCursor } from '../../src/runs/types.ts'
import { eventually } from '../support/eventually.ts'
import { type ReindexWorld, reindexWorld } from './reindex-world.ts'

/**
 * A reindex whose worker dies at each step: another one finishes it, or a cancel undoes it, and no index is left over. Batches
 * run in a daemon beside it. A step dies before its commit, or between what it did in Elasticsearch and its commit.
 */

let world: ReindexWorld
let alias: string
let first: string
const definitions = () => ({ thing: { table: 'thing', index: alias, settings: { number_of_replicas: 0 } } })

beforeAll(async () => {
  world = await reindexWorld()
  alias = `${world.server.prefix}thing`
  await world.database.pool.query(`
    CREATE TABLE thing (id bigint PRIMARY KEY, name text);
    INSERT INTO thing SELECT i, 'thing ' || i FROM generate_series(1, 40) i`)
  await world.install(definitions(), { backfill: false })
  world.daemon(definitions())
  await world.database.pool.query(`UPDATE thing SET name = name || '!'`)
  await world.indexed('thing', alias)
})
afterAll(() => world.drop())
beforeEach(async () => {
  first = (await world.roles('thing')).live?.[0] ?? ''
})

function taken(instance: string): Promise<Run> {
  const { pool } = world.database
  return eventually(
    async () => {
      // As if the worker before were silent for long.
      await pool.query(`UPDATE sluice.sync_run SET heartbeat_at = '-infinity' WHERE state = 'running'`)
      // Null as well while a batch adds what it did to the run's counts.
      return takeRun(pool, 'sluice', instance, ['thing'])
    },
    { describe: 'a run to take' },
  )
}

/** The worker is gone as soon as the cursor stands at a step. */
async function dieAt(step: RunCursor['step']): Promise<void> {
  const abort = new AbortController()
  const run = await taken('a')
  const context = await world.context('a')
  const { pool } = world.database
  // Batches wait, so that neither walk nor drain ends by itself.
  if (step === 'walk' || step === 'drain') await pool.query(`SELECT sluice.pause('thing')`)
  const outcome = executeRun(context, run, abort.signal)
  await eventually(async () => {
    const cursor = (await readRun(pool, 'sluice', run.id))?.cursor
    return cursor?.step === step || (step === 'walk' && cursor?.step === 'drain')
  })
  abort.abort(new RunInterrupted('lost'))
  expect(await outcome).toBe('lost')
  await pool.query(`SELECT sluice.resume('thing')`)
}

/** The worker is gone after a request was carried out, and before it was written down. */
async function dieAfter(request: 'createIndex' | 'putSettings' | 'refresh' | 'changeAliases'): Promise<void> {
  const run = await taken('a')
  const { elasticsearch, ...context } = await world.context('a')
  const dying: RunContext['elasticsearch'] = {
    ...elasticsearch,
    [request]: async (...sent: unknown[]) => {
      await (elasticsearch[request] as (...sent: unknown[]) => Promise<unknown>)(...sent)
      throw new UnreachableError('gone in this moment')
    },
  }
  const died = executeRun({ ...context, elasticsearch: dying }, run, new AbortController().signal)
  await expect(died).rejects.toThrow('gone in this moment')
}

const deaths: readonly [string, () => Promise<void>][] = [
  ['when names were drawn', () => dieAfter('createIndex')],
  ['when marks were written', () => dieAt('drain')],
  ['when settings were restored', () => dieAfter('putSettings')],
  ['when it was to be verified', () => dieAfter('refresh')],
]

describe.each(deaths)('a worker that dies %s', (_, die) => {
  test('is replaced by one that finishes', async () => {
    const id = await world.request('thing', { keepMs: 0 })
    await die()
    await world.database.pool.query(`UPDATE thing SET name = 'changed' WHERE id = 7`)
    const outcome = await executeRun(await world.context('b'), await taken('b'), new AbortController().signal)
    expect(await readRun(world.database.pool, 'sluice', id)).toMatchObject({ state: 'done', error: null })
    expect(outcome).toBe('done')
    await whole()
    expect(await world.pointsTo(alias)).not.toEqual([first])
  })

  test('and a run that is cancelled then: the living index is as it was, and no other is left', async () => {
    const id = await world.request('thing')
    await die()
    await world.database.pool.query(
      `UPDATE sluice.sync_run SET heartbeat_at = '-infinity' WHERE state = 'running'`,
    )
    expect(await cancelRun(world.database.pool, 'sluice', id)).toMatchObject({ state: 'cancelled' })
    await whole()
    expect(await world.pointsTo(alias)).toEqual([first])
  })
})

test('while it is filled, the new index has no copies and is refreshed every second: nothing piles up', async () => {
  const id = await world.request('thing', { keepMs: 0 })
  const { elasticsearch, ...context } = await world.context('a')
  let filling: unknown
  const looking: RunContext['elasticsearch'] = {
    ...elasticsearch,
    putSettings: async (name, settings) => {
      filling = await world.elasticsearch.getSettings(name)
      return elasticsearch.putSettings(name, settings)
    },
  }
  await executeRun({ ...context, elasticsearch: looking }, await taken('a'), new AbortController().signal)
  expect(await readRun(world.database.pool, 'sluice', id)).toMatchObject({ state: 'done', error: null })
  expect(filling).toMatchObject({ 'index.number_of_replicas': '0', 'index.refresh_interval': '1s' })
  const [now = ''] = await world.pointsTo(alias)
  expect(await world.elasticsearch.getSettings(now)).not.toHaveProperty(['index.refresh_interval'])
  await whole()
})

test('a worker that dies between the swap and its commit is replaced by one that sees it; a cancel comes too late', async () => {
  const id = await world.request('thing', { keepMs: 0 })
  await dieAfter('changeAliases')
  const [now] = await world.pointsTo(alias)
  expect(now).not.toBe(first)
  // The table says otherwise: what is built is no longer dropped by anybody, and cannot be cancelled.
  expect((await world.roles('thing')).building).toEqual([now])
  await world.database.pool.query(
    `UPDATE sluice.sync_run SET heartbeat_at = '-infinity' WHERE state = 'running'`,
  )
  expect(await cancelRun(world.database.pool, 'sluice', id)).toMatchObject({ state: 'running' })
  expect(await executeRun(await world.context('b'), await taken('b'), new AbortController().signal)).toBe(
    'done',
  )
  await whole()
  expect(await world.pointsTo(alias)).toEqual([now])
})

describe('an index that is recreated', () => {
  const recreate = () => world.request('thing', { recreate: true, alias, keepMs: 0 })

  test.each([
    ['when the name was drawn', () => dieAfter('createIndex')],
    ['between the swap and its commit', () => dieAfter('changeAliases')],
    ['when marks were written', () => dieAt('drain')],
  ])('a worker that dies %s is replaced by one that finishes', async (_, die) => {
    const id = await recreate()
    await die()
    await world.database.pool.query(`UPDATE thing SET name = 'changed' WHERE id = 8`)
    const outcome = await executeRun(await world.context('b'), await taken('b'), new AbortController().signal)
    expect(await readRun(world.database.pool, 'sluice', id)).toMatchObject({ state: 'done', error: null })
    expect(outcome).toBe('done')
    await whole()
    expect(await world.pointsTo(alias)).not.toEqual([first])
  })

  test('and a cancel after the swap: the new index stays, is written to, and a backfill fills it', async () => {
    const { pool } = world.database
    const id = await recreate()
    await dieAt('drain')
    await pool.query(`UPDATE sluice.sync_run SET heartbeat_at = '-infinity' WHERE state = 'running'`)
    expect(await cancelRun(pool, 'sluice', id)).toMatchObject({ state: 'cancelled' })
    const [now] = await world.pointsTo(alias)
    expect(now).not.toBe(first)
    expect((await world.roles('thing')).live).toEqual([now])
    await pool.query(`UPDATE thing SET name = name || '!'`)
    await whole()
    expect(await world.pointsTo(alias)).toEqual([now])
  })
})

test('a retired index is not dropped while the alias points to it', async () => {
  const { pool } = world.database
  await pool.query(`UPDATE sluice.sync_index SET role = 'retired', retired_at = clock_timestamp()`)
  expect(await world.dropRetired()).toEqual([])
  expect(await world.pointsTo(alias)).toEqual([first])
  await pool.query(`UPDATE sluice.sync_index SET role = 'live', retired_at = NULL`)
})

test('an index whose creation is carried out after the run was given up is dropped, too', async () => {
  const { pool } = world.database
  const id = await world.request('thing')
  await dieAfter('createIndex')
  const name = (await readRun(pool, 'sluice', id))?.cursor?.reindex?.indices[0]?.name ?? ''
  await finishRun(pool, 'sluice', { id, worker: 'a' }, { state: 'failed', error: 'why' })
  await world.dropRetired()
  expect(await world.indices()).toEqual([first])
  // Not by the client: it asks for the new index's identity, and the daemon may have dropped it by then.
  await world.server.request('PUT', `/${name}`)
  expect((await world.roles('thing')).retired).toEqual([name])
  await world.dropRetired()
  expect(await world.indices()).toEqual([first])
  await pool.query(`UPDATE sluice.sync_index SET retired_at = '-infinity' WHERE role = 'retired'`)
  await world.dropRetired()
  await whole()
})

test('a new index that finds no place is given up, and the living one is as it was', async () => {
  const plan = JSON.stringify(await world.value('SELECT plan FROM sluice.sync_document'))
  await world.database.pool.query(
    `UPDATE sluice.sync_document SET plan = jsonb_set(plan, '{settings}', '{"index.routing.allocation.require.no": "where"}')`,
  )
  const id = await world.request('thing')
  expect(await executeRun(await world.context('a'), await taken('a'), new AbortController().signal)).toBe(
    'failed',
  )
  expect(await readRun(world.database.pool, 'sluice', id)).toMatchObject({
    state: 'failed',
    error: expect.stringMatching(/the cluster has found no place for the new index/),
  })
  await world.database.pool.query(
    `UPDATE sluice.sync_document SET plan = jsonb_set(plan, '{settings}', '{"number_of_shards": 100000}')`,
  )
  const refused = await world.request('thing')
  await executeRun(await world.context('a'), await taken('a'), new AbortController().signal)
  expect(await readRun(world.database.pool, 'sluice', refused)).toMatchObject({
    state: 'failed',
    error: expect.stringMatching(/the new index was refused: .*number_of_shards/),
  })
  await world.database.pool.query(
    `UPDATE sluice.sync_index SET retired_at = '-infinity' WHERE role = 'retired'`,
  )
  await world.database.pool.query('UPDATE sluice.sync_document SET plan = $1', [plan])
  await whole()
  expect(await world.pointsTo(alias)).toEqual([first])
})

test('a document that is uninstalled while its new index is being made leaves none behind', async () => {
  await world.request('thing')
  const { elasticsearch, ...context } = await world.context('a')
  const uninstalling: RunContext['elasticsearch'] = {
    ...elasticsearch,
    awaitShards: async (...asked) => {
      await world.uninstall('thing')
      return elasticsearch.awaitShards(...asked)
    },
  }
  const run = await taken('a')
  await executeRun({ ...context, elasticsearch: uninstalling }, run, new AbortController().signal)
  expect(await world.indices()).toEqual([])
})

/** One index, the alias on it, every row in it, and nothing that waits for another. */
async function whole(): Promise<void> {
  await world.database.pool.query(
    `UPDATE sluice.sync_index SET retired_at = '-infinity' WHERE role = 'retired' AND uuid = ''`,
  )
  await world.dropRetired()
  const points = await world.pointsTo(alias)
  expect(points).toHaveLength(1)
  expect(await world.indices()).toEqual(points)
  expect(await world.roles('thing')).toEqual({ live: points })
  await world.drained()
  expect(await world.differences('thing', points[0] ?? '')).toEqual([])
}
