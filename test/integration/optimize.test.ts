import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { encodeBulk } from '../../src/elasticsearch/bulk.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import { physicalName } from '../../src/elasticsearch/names.ts'
import type { RunContext } from '../../src/runs/context.ts'
import { executeRun } from '../../src/runs/execute.ts'
import { RunInterrupted } from '../../src/runs/interrupted.ts'
import { cancelRun, takeRun } from '../../src/runs/lifecycle.ts'
import { readRun } from '../../src/runs/read-runs.ts'
import { requestOptimize } from '../../src/runs/request-optimize.ts'
import type { Run } from '../../src/runs/types.ts'
import { eventually, type TestElasticsearch, testElasticsearch } from '../support/context.ts'
import { addDocument, type RunsFixture, runsFixture, SCHEMA } from './runs-fixture.ts'

/** Indices of one document with an index for each tenant; what is in them is written by hand. */

let db: RunsFixture
let search: TestElasticsearch
let elasticsearch: Elasticsearch
const plans = new Map<string, DocumentPlan>()

beforeAll(async () => {
  db = await runsFixture()
  search = testElasticsearch()
  elasticsearch = connectElasticsearch({ url: search.url }, { requestTimeoutMs: 20_000 })
  await db.pool.query('CREATE TABLE city (id bigint PRIMARY KEY)')
  plans.set(
    'city',
    await addDocument(db.pool, { document: 'city', key: [{ name: 'id', type: 'pg_catalog.int8' }] }),
  )
})
afterAll(async () => {
  await elasticsearch.close()
  await search.drop()
  await db.drop()
})
beforeEach(async () => {
  await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run; DELETE FROM "${SCHEMA}".sync_index`)
})

/** Deleted half a minute ago when the last test comes. */
let old: string
beforeAll(async () => {
  old = await index('old', 20)
})

/** A registered index with 40 documents, of which so many were deleted again. */
async function index(tenant: string, deleted: number, role = 'live'): Promise<string> {
  const name = physicalName(`${search.prefix}${tenant}`, new Date(), Math.random().toString(36).slice(2, 8))
  const mappings = { properties: { name: { type: 'keyword' } } }
  const { uuid } = await elasticsearch.createIndex({ name, mappings, settings: { number_of_replicas: 0 } })
  await register(name, uuid, role)
  const ids = Array.from({ length: 40 }, (_, n) => String(n))
  const put = ids.map(
    (id) => ({ kind: 'index', index: name, id, key: id, body: Buffer.from('{"name":"x"}') }) as const,
  )
  const remove = ids.slice(0, deleted).map((id) => ({ kind: 'delete', index: name, id, key: id }) as const)
  await elasticsearch.bulk(encodeBulk(put, 5n), put)
  if (deleted > 0) await elasticsearch.bulk(encodeBulk(remove, 6n), remove)
  return name
}

const register = (name: string, uuid: string, role = 'live') =>
  db.pool.query(
    `INSERT INTO "${SCHEMA}".sync_index (name, document, alias, uuid, role, hash) VALUES ($1, 'city', $2, $3, $4, 'h')`,
    [name, name.slice(0, -22), uuid, role],
  )

const contextOf = (instance: string, changed: Partial<Elasticsearch> = {}): RunContext => ({
  pool: db.pool,
  schema: SCHEMA,
  elasticsearch: { ...elasticsearch, ...changed },
  plans,
  instance,
  log: pino({ level: 'silent' }),
})

async function request(options: object = {}): Promise<string> {
  return (await requestOptimize(db.pool, SCHEMA, { document: 'city', options, requestedBy: 'test' })).id
}

async function taken(instance: string): Promise<Run> {
  const run = await takeRun(db.pool, SCHEMA, instance, ['city'])
  if (run === null) throw new Error('nothing to take')
  return run
}

const execute = async (
  instance: string,
  changed: Partial<Elasticsearch> = {},
  signal = new AbortController().signal,
) => executeRun(contextOf(instance, changed), await taken(instance), signal)

async function runRow(id: string): Promise<Run> {
  const run = await readRun(db.pool, SCHEMA, id)
  if (run === null) throw new Error(`no run ${id}`)
  return run
}

const silence = () =>
  db.pool.query(`UPDATE "${SCHEMA}".sync_run SET heartbeat_at = clock_timestamp() - interval '1 min'`)

test('the threshold is an option', async () => {
  await index('little', 4)
  const id = await request({ threshold: 0.05 })
  await execute('a')
  expect((await runRow(id)).result?.optimize).toMatchObject({
    threshold: 0.05,
    merged: 1,
  })
})

test('an index that is read-only, and one that is missing, fail with the reason; the others are merged', async () => {
  const closed = await index('a', 20)
  await search.request('PUT', `/${closed}/_settings`, { 'index.blocks.read_only': true })
  const missing = `${search.prefix}b-20260101000000-abcdef`
  await register(missing, 'gone')
  const good = await index('c', 20)
  const id = await request()
  expect(await execute('a')).toBe('failed')
  const run = await runRow(id)
  expect(run.error).toMatch(/^2 of 3 indices could not be optimized: .*read-only/)
  expect(run.error).toContain(missing)
  expect(run.result?.optimize).toMatchObject({
    indices: 3,
    merged: 1,
    failed: 2,
    changes: [
      { index: closed, after: null, problem: expect.stringContaining('blocked') },
      { index: missing, after: null, problem: expect.stringContaining('no such index') },
      { index: good, after: { documents: 20 }, problem: null },
    ],
  })
  await search.request('PUT', `/${closed}/_settings`, { 'index.blocks.read_only': false })
})

/** A merge of 40 documents takes no time; with this one it is still under way when one looks. */
const unending: Pick<Elasticsearch, 'mergeState'> = { mergeState: async () => 'running' }

async function mergeBegun(id: string): Promise<{ readonly task: string }> {
  return eventually(async () => (await runRow(id)).cursor?.merge ?? null)
}

test('whoever takes a run over waits for the merge that is under way, and begins no other', async () => {
  const first = await index('a', 20)
  const second = await index('b', 20)
  const id = await request()
  const abort = new AbortController()
  const dying = execute('a', unending, abort.signal)
  const { task } = await mergeBegun(id)
  abort.abort(new RunInterrupted('lost'))
  expect(await dying).toBe('lost')
  await silence()
  const begun: string[] = []
  const asked: string[] = []
  const outcome = await execute('b', {
    startMerge: (name) => {
      begun.push(name)
      return elasticsearch.startMerge(name)
    },
    mergeState: (name, of) => {
      asked.push(of)
      return elasticsearch.mergeState(name, of)
    },
  })
  expect(outcome).toBe('done')
  expect(begun).toEqual([second])
  expect(asked[0]).toBe(task)
  expect((await runRow(id)).result?.optimize).toMatchObject({
    indices: 2,
    merged: 2,
    changes: [
      { index: first, before: { documents: 20 } },
      { index: second, before: { documents: 20 } },
    ],
  })
})

test('a merge whose node was restarted is begun again where it is still needed', async () => {
  await index('a', 20)
  const id = await request()
  const abort = new AbortController()
  const dying = execute(
    'a',
    { ...unending, startMerge: async () => 'oTUltX4IQMOUUVeiohTt8A:124' },
    abort.signal,
  )
  await mergeBegun(id)
  abort.abort(new RunInterrupted('released'))
  expect(await dying).toBe('released')
  expect(await execute('b')).toBe('done')
  expect((await runRow(id)).result?.optimize).toMatchObject({ merged: 1, failed: 0 })
})

test('a cancelled run waits no longer for a merge, and begins no other', async () => {
  await index('a', 20)
  await index('b', 20)
  const id = await request()
  const running = execute('a', unending)
  await mergeBegun(id)
  // Its worker may have heard of it by the time that it is looked at.
  expect((await cancelRun(db.pool, SCHEMA, id))?.state).toMatch(/^cancell(ing|ed)$/)
  expect(await running).toBe('cancelled')
  expect(await runRow(id)).toMatchObject({ state: 'cancelled', processed: 0, total: 2 })
})

test.each<[object, RegExp]>([
  [{ treshold: 0.1 }, /options: optimize has no option "treshold" \(did you mean "threshold"\?\)/],
  [{ threshold: '10%' }, /options\.threshold: got "10%", a number from 0 to 1 is needed/],
])('a request by SQL with the options %j fails, and says why', async (options, message) => {
  await db.pool.query(
    `INSERT INTO "${SCHEMA}".sync_run (kind, document, options) VALUES ('optimize', 'city', $1)`,
    [JSON.stringify(options)],
  )
  const run = await taken('a')
  expect(await executeRun(contextOf('a'), run, new AbortController().signal)).toBe('failed')
  expect((await runRow(run.id)).error).toMatch(message)
})

test('indices with many deleted documents are merged, the others are left, and sizes say what came of it', async () => {
  await register(old, 'u')
  const little = await index('little', 2)
  const kept = await index('kept', 20, 'kept')
  const before = { kept: await size(kept), old: await size(old) }
  // A shard's copies retain what was deleted until their leases are renewed, every 30 seconds.
  await eventually(async () => (await retainedFrom(old)) > 59, { timeoutMs: 60_000 })
  const id = await request()
  expect(await execute('a')).toBe('done')
  const run = await runRow(id)
  expect(run).toMatchObject({ state: 'done', total: 2, processed: 2, error: null })
  const of = { documents: 20, deleted: 0 }
  expect(run.result?.optimize).toMatchObject({
    threshold: 0.2,
    indices: 2,
    merged: 1,
    failed: 0,
    before: { documents: 58 },
    after: { documents: 58, deleted: (await size(little)).deleted },
    changes: [{ index: old, before: before.old, after: of, problem: null }],
  })
  expect(await size(old)).toMatchObject(of)
  expect((await size(little)).deleted).toBeGreaterThan(0)
  expect(await size(kept)).toEqual(before.kept)
})

async function size(name: string) {
  await elasticsearch.refresh(name)
  return elasticsearch.indexSize(name)
}

/** First sequence number of an index that its only copy retains. */
async function retainedFrom(name: string): Promise<number> {
  const stats = await search.request('GET', `/${name}/_stats?level=shards`)
  const { indices } = stats as {
    indices: Record<
      string,
      { shards: Record<string, [{ retention_leases: { leases: [{ retaining_seq_no: number }] } }]> }
    >
  }
  return indices[name]?.shards['0']?.[0].retention_leases.leases[0].retaining_seq_no ?? 0
}
