import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { classifyResponse, classifyTransportError } from '../../src/elasticsearch/outcome-request.ts'
import type { BulkAnswer } from '../../src/elasticsearch/types.ts'
import { type BatchContext, runBatch } from '../../src/sync/batch.ts'
import { BulkGate } from '../../src/sync/bulk-gate.ts'
import { Confidence } from '../../src/sync/confidence.ts'
import { eventually } from '../support/eventually.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

let world: SyncWorld

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())
beforeEach(async () => {
  const { pool } = world.database
  await pool.query(
    `TRUNCATE thing, "${SCHEMA}".sync_queue, "${SCHEMA}".sync_failed, "${SCHEMA}".sync_run, "${SCHEMA}".sync_log`,
  )
})

const failures = async () => {
  const { rows } = await world.database.pool.query(
    `SELECT key, target <> '' AS targeted, state, type FROM "${SCHEMA}".sync_failed ORDER BY key`,
  )
  return rows
}

describe('a batch', () => {
  test('brings rows, and their absence, to the index and empties the queue', async () => {
    await world.change(1, 'one')
    await world.change(2, 'two')
    expect(await runBatch(world.context, world.request)).toMatchObject({
      outcome: 'settled',
      givenBack: 0,
      full: false,
    })
    expect([await world.indexed(1), await world.indexed(2)]).toEqual(['one', 'two'])

    await world.change(1, null)
    await world.change(2, 'zwei')
    await runBatch(world.context, world.request)
    expect([await world.indexed(1), await world.indexed(2)]).toEqual([null, 'zwei'])
    expect(await world.pendingKeys()).toBe(0)
  })

  test('of bulk work waits for its place at Elasticsearch, one of single edits does not', async () => {
    const gate = new BulkGate({ most: () => 1, limit: () => 1, now: () => performance.now() })
    const context = { ...world.context, gate }
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    const other = gate.pass(1, () => held)
    await world.change(21, 'edit')
    expect(await runBatch(context, world.request)).toMatchObject({ outcome: 'settled' })
    expect(await world.indexed(21)).toBe('edit')

    await world.change(22, 'bulk')
    await world.database.pool.query(`UPDATE "${SCHEMA}".sync_queue SET lane = 1`)
    const pass = vi.spyOn(gate, 'pass')
    const bulk = runBatch(context, { ...world.request, lane: 1 })
    await eventually(() => pass.mock.calls.length === 1, { describe: 'it has come to the gate' })
    expect(await world.indexed(22)).toBe(null)
    release()
    await other
    expect(await bulk).toMatchObject({ outcome: 'settled' })
    expect(await world.indexed(22)).toBe('bulk')
  })

  test('of an empty queue is empty', async () => {
    expect(await runBatch(world.context, world.request)).toEqual({ outcome: 'empty' })
  })

  test('takes no more keys than BATCH_SIZE and says that there is more', async () => {
    for (let id = 1; id <= 5; id++) await world.change(id, `n${id}`)
    const context = { ...world.context, limits: { ...world.context.limits, batchSize: 3 } }
    expect(await runBatch(context, world.request)).toMatchObject({ outcome: 'settled', full: true })
    expect(await world.pendingKeys()).toBe(2)
  })

  test('whose request gets no answer gives everything back, and charges nobody', async () => {
    await world.change(1, 'one')
    const elasticsearch = connectElasticsearch({ url: 'http://127.0.0.1:1' }, { requestTimeoutMs: 1_000 })
    const result = await runBatch({ ...world.context, elasticsearch }, world.request)
    await elasticsearch.close()
    expect(result).toMatchObject({ outcome: 'given-back', obstacle: { scope: 'elasticsearch' } })
    expect(await world.pendingKeys()).toBe(1)
    expect(await failures()).toEqual([])
  })

  test('with a document that Elasticsearch refuses indexes the others and records the reason', async () => {
    const { pool } = world.database
    for (let id = 1; id <= 20; id++) await world.change(id, `n${id}`)
    // Longer than the 32,766 bytes that a keyword can have.
    await pool.query("UPDATE thing SET name = repeat('x', 40000) WHERE id = 7")
    await runBatch(world.context, world.request)
    expect(await failures()).toEqual([{ key: '7', targeted: true, state: 'dead', type: expect.any(String) }])
    expect([await world.indexed(6), await world.indexed(7), await world.indexed(8)]).toEqual([
      'n6',
      null,
      'n8',
    ])

    await world.change(7, 'short')
    await runBatch(world.context, world.request)
    expect(await world.indexed(7)).toBe('short')
    expect(await failures()).toEqual([])
  })

  test('with keys that are no keys indexes the others', async () => {
    const { pool } = world.database
    await world.change(1, 'one')
    await pool.query(`SELECT "${SCHEMA}".enqueue('thing', 'seven', '99999999999999999999')`)
    await world.change(2, 'two')
    await runBatch(world.context, world.request)
    expect([await world.indexed(1), await world.indexed(2)]).toEqual(['one', 'two'])
    expect((await failures()).map(({ key, state }) => [key, state])).toEqual([
      ['99999999999999999999', 'dead'],
      ['seven', 'dead'],
    ])
  })

  test('whose load fails for everybody is given back as the document’s obstacle', async () => {
    await world.change(1, 'one')
    const plan = {
      ...world.plan,
      loadSql: 'SELECT 1, missing, 1, 1 FROM thing WHERE id = ANY ($1::bigint[])',
    }
    expect(await runBatch(world.context, { ...world.request, plan })).toMatchObject({
      outcome: 'given-back',
      obstacle: { scope: 'document', type: 'sqlstate_42703' },
    })
    expect(await world.pendingKeys()).toBe(1)
  })

  test('with no index registered acknowledges nothing', async () => {
    const { pool } = world.database
    await world.change(1, 'one')
    await pool.query(`UPDATE "${SCHEMA}".sync_index SET role = 'retired'`)
    const result = await runBatch(world.context, world.request)
    await pool.query(`UPDATE "${SCHEMA}".sync_index SET role = 'live'`)
    expect(result).toMatchObject({ outcome: 'given-back', obstacle: { type: 'no_index' } })
    expect(await world.pendingKeys()).toBe(1)
  })

  test('on another server than the daemon joined is given back', async () => {
    await world.change(1, 'one')
    const result = await runBatch({ ...world.context, server: () => 'FFFFFFFF@1' }, world.request)
    expect(result).toMatchObject({ outcome: 'given-back', obstacle: { scope: 'postgres' } })
    expect(await world.pendingKeys()).toBe(1)
  })

  test('with an everything mark requests a verify, with the mark’s origin', async () => {
    const { pool } = world.database
    await pool.query(
      `INSERT INTO "${SCHEMA}".sync_queue (document, lane, keys, op, origin) VALUES ('thing', 0, NULL, 'truncate', '77')`,
    )
    await runBatch(world.context, world.request)
    const { rows } = await pool.query(`SELECT kind, state, reason, origin::text FROM "${SCHEMA}".sync_run`)
    expect(rows).toEqual([{ kind: 'verify', state: 'requested', reason: 'truncate', origin: '77' }])
    expect(await world.pendingKeys()).toBe(0)
  })
})

describe('a version that Elasticsearch has and this database never drew', () => {
  test('is leapt over, the key is marked again, and a verify is requested', async () => {
    const { pool } = world.database
    const future = '4000000000000000'
    await world.search.request('PUT', `/${world.index}/_doc/1?version=${future}&version_type=external`, {
      id: 1,
      name: 'from a life that is gone',
    })
    await world.change(1, 'one')
    expect(await runBatch(world.context, world.request)).toMatchObject({
      outcome: 'settled',
      givenBack: 1,
      foreign: expect.stringContaining(`version ${future}, which this database has never drawn`),
    })
    expect(await world.pendingKeys()).toBe(1)
    const { rows } = await pool.query(`SELECT kind FROM "${SCHEMA}".sync_run`)
    expect(rows).toEqual([{ kind: 'verify' }])

    await runBatch(world.context, world.request)
    expect(await world.indexed(1)).toBe('one')
    expect(await world.pendingKeys()).toBe(0)
  })
})

describe.each<[string, BulkAnswer, string[]]>([
  ['gets silence', classifyTransportError({ kind: 'timeout', message: 'm', node: 'n' }), ['timeout']],
  ['breaks a node', classifyResponse(502, '<html>Bad Gateway</html>', []), ['http_502']],
  ['displeases a proxy', classifyResponse(403, '<html>Request blocked</html>', []), ['http_403']],
  [
    'is too much for the memory',
    classifyResponse(429, '{"error":{"type":"circuit_breaking_exception"}}', []),
    [],
  ],
])('a document that %s', (_, answer, charged) => {
  test('is found by halving and stops no other; it is charged in the end, unless the server was busy', async () => {
    for (let id = 1; id <= 100; id++) await world.change(id, `v${id}`)
    // Such an answer because of one document is nothing that this server can be made to give; all others are its own.
    const elasticsearch: BatchContext['elasticsearch'] = {
      ...world.elasticsearch,
      bulk: async (body, operations) =>
        operations.some(({ id }) => id === '37') ? answer : world.elasticsearch.bulk(body, operations),
    }
    const context = { ...world.context, elasticsearch }
    const request = { ...world.request, confidence: new Confidence(() => performance.now()) }
    const left = charged.length > 0 ? 0 : 1
    let batches = 0
    while ((await world.pendingKeys()) > left) {
      await runBatch(context, request)
      batches += 1
      if (batches > 100) throw new Error(`no end after ${batches} batches`)
    }
    expect(await failures()).toEqual(
      charged.map((type) => ({ key: '37', targeted: true, state: 'retrying', type })),
    )
    const indexed = await Promise.all(Array.from({ length: 100 }, (_, n) => world.indexed(n + 1)))
    expect(indexed.flatMap((name, n) => (name === `v${n + 1}` ? [] : [n + 1]))).toEqual([37])
  })
})

describe('no body is sent that is older than its claim may become', () => {
  afterEach(() => vi.restoreAllMocks())

  /** The clock that claims live by, two minutes on: the process was stopped, or something took that long. */
  const twoMinutesLater = () => {
    const now = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 120_000)
  }

  test('one that was loaded and then held', async () => {
    await world.change(1, 'one')
    const { bulk } = world.elasticsearch
    let requests = 0
    const elasticsearch: BatchContext['elasticsearch'] = {
      ...world.elasticsearch,
      bulk: (...sent) => {
        requests += 1
        return bulk(...sent)
      },
    }
    const held = {
      plan: { ...world.plan, transform: true },
      transform: (document: Record<string, unknown>) => {
        twoMinutesLater()
        return document
      },
    }
    const result = await runBatch({ ...world.context, elasticsearch }, { ...world.request, ...held })
    expect(result).toMatchObject({ outcome: 'settled', givenBack: 1 })
    expect(requests).toBe(0)
    vi.restoreAllMocks()
    expect(await world.pendingKeys()).toBe(1)
    await runBatch(world.context, world.request)
    expect(await world.indexed(1)).toBe('one')
  })

  test('the halves of a request that was refused too late', async () => {
    await world.change(1, 'one')
    await world.change(2, 'two')
    let requests = 0
    const elasticsearch: BatchContext['elasticsearch'] = {
      ...world.elasticsearch,
      bulk: async () => {
        requests += 1
        twoMinutesLater()
        return { outcome: 'too-large', reason: 'a proxy that takes its time' }
      },
    }
    const result = await runBatch({ ...world.context, elasticsearch }, world.request)
    expect(result).toMatchObject({ outcome: 'settled', givenBack: 2 })
    expect(requests).toBe(1)
    vi.restoreAllMocks()
    expect(await world.pendingKeys()).toBe(2)
    expect(await failures()).toEqual([])
  })
})
