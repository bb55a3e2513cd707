import type { PoolClient } from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import { claimMarks } from '../../src/queue/claim-marks.ts'
import { enqueueKeys } from '../../src/queue/enqueue-keys.ts'
import { giveBack } from '../../src/queue/give-back.ts'
import { REWRITE, requestRun } from '../../src/queue/request-run.ts'
import type { RunContext } from '../../src/runs/context.ts'
import { executeRun, type RunOutcome } from '../../src/runs/execute.ts'
import { takeRun } from '../../src/runs/lifecycle.ts'
import { readRun, readRuns } from '../../src/runs/read-runs.ts'
import type { Run } from '../../src/runs/types.ts'
import { eventually, type TestElasticsearch, testElasticsearch } from '../support/context.ts'
import { addDocument, drainer, type RunsFixture, runsFixture, SCHEMA, stopDrainers } from './runs-fixture.ts'

let db: RunsFixture
let search: TestElasticsearch
let elasticsearch: Elasticsearch
const plans = new Map<string, DocumentPlan>()

beforeAll(async () => {
  db = await runsFixture()
  search = testElasticsearch()
  elasticsearch = connectElasticsearch({ url: search.url }, { requestTimeoutMs: 30_000 })
  await db.pool.query(`
    CREATE TABLE city (id integer PRIMARY KEY, active boolean NOT NULL DEFAULT true);
    INSERT INTO city SELECT generate_series(1, 2000);
    UPDATE city SET active = false WHERE id > 1990;
    CREATE TABLE street (city text, no bigint, PRIMARY KEY (city, no));
    INSERT INTO street VALUES ('a:b', 1), ('a', 2), ('100%', 3)`)
  plans.set(
    'city',
    await addDocument(db.pool, {
      document: 'city',
      key: [{ name: 'id', type: 'pg_catalog.int4' }],
      where: 'active',
    }),
  )
  plans.set(
    'street',
    await addDocument(db.pool, {
      document: 'street',
      key: [
        { name: 'city', type: 'pg_catalog.text' },
        { name: 'no', type: 'pg_catalog.int8' },
      ],
    }),
  )
})
afterAll(async () => {
  await search.drop()
  await elasticsearch.close()
  await db.drop()
})
beforeEach(async () => {
  for (const table of ['sync_queue', 'sync_run', 'sync_index']) {
    await db.pool.query(`DELETE FROM "${SCHEMA}".${table}`)
  }
})
afterEach(stopDrainers)

/** A physical index that holds documents of these ids; they are not refreshed, as after a batch. */
async function indexed(document: string, ids: readonly string[]): Promise<string> {
  const index = `${search.prefix}${document}-${Math.random().toString(36).slice(2)}`
  await search.request('PUT', `/${index}`, { settings: { number_of_replicas: 0, refresh_interval: '-1' } })
  if (ids.length > 0) {
    const lines = ids.flatMap((id) => [JSON.stringify({ index: { _id: id } }), '{}'])
    const answer = await fetch(new URL(`/${index}/_bulk`, search.url), {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${lines.join('\n')}\n`,
    })
    expect(await answer.json()).toMatchObject({ errors: false })
  }
  await db.pool.query(
    `INSERT INTO "${SCHEMA}".sync_index (name, document, alias, uuid, role, hash) VALUES ($1, $2, $1, 'u', 'live', 'h')`,
    [index, document],
  )
  return index
}

function contextOf(instance: string): RunContext {
  return { pool: db.pool, schema: SCHEMA, elasticsearch, plans, instance, log: pino({ level: 'silent' }) }
}

async function start(document: string): Promise<{ run: Run; outcome: Promise<RunOutcome> }> {
  await requestRun(db.pool, SCHEMA, {
    kind: 'verify',
    options: REWRITE,
    document,
    reason: 'truncated',
    origin: '77',
  })
  const run = await takeRun(db.pool, SCHEMA, 'a', [document])
  if (run === null) throw new Error('nothing to take')
  return { run, outcome: executeRun(contextOf('a'), run, new AbortController().signal) }
}

interface Marked {
  readonly orphans: readonly string[]
  readonly rows: readonly string[]
  readonly run: Run
}

/** Runs a verify to its end; what it marked, by what the marks say. */
async function verified(document: string): Promise<Marked> {
  await db.pool.query(`
    CREATE TABLE marked (op text, origin text, lane int, run_id bigint, key text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO marked SELECT op, origin, lane, run_id, unnest(keys) FROM new; RETURN NULL; END $$;
    CREATE TRIGGER note AFTER INSERT ON "${SCHEMA}".sync_queue REFERENCING NEW TABLE AS new
      FOR EACH STATEMENT EXECUTE FUNCTION note()`)
  try {
    const { run, outcome } = await start(document)
    const drained = drainer(db.pool)
    expect(await outcome).toBe('done')
    await drained.stop()
    const { rows } = await db.pool.query<{ op: string; key: string }>(
      "SELECT op, key FROM marked WHERE origin = '77' AND lane = 1 AND run_id = $1",
      [run.id],
    )
    expect(rows).toHaveLength((await db.pool.query('SELECT FROM marked')).rowCount ?? 0)
    const keys = (op: string) => rows.filter((row) => row.op === op).map(({ key }) => key)
    const ended = await readRun(db.pool, SCHEMA, run.id)
    if (ended === null) throw new Error('the run is gone')
    return { orphans: keys('orphan'), rows: keys('backfill'), run: ended }
  } finally {
    await db.pool.query(`DROP TRIGGER note ON "${SCHEMA}".sync_queue; DROP FUNCTION note; DROP TABLE marked`)
  }
}

/** Ends the client's claim, whatever becomes of the test. */
async function claimedMeanwhile<T>(client: PoolClient, fn: () => Promise<T>): Promise<T> {
  try {
    return await fn()
  } finally {
    await giveBack(client)
    client.release()
  }
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => String(from + n))

describe('verify', () => {
  test('marks exactly the ids that have no document any more, and then all rows', async () => {
    // 1991… do not match, 2001… have no row, 1…100 are missing from the index.
    await indexed('city', numbers(101, 2100))
    const { orphans, rows, run } = await verified('city')
    expect(orphans.toSorted()).toEqual(numbers(1991, 2100).toSorted())
    expect(rows).toEqual(numbers(1, 1990))
    expect(run).toMatchObject({ state: 'done', total: 2100, walked: 2100, processed: 2100, error: null })
  })

  test('leaves ids alone that are no key, and reports them', async () => {
    const foreign = ['abc', '12.5', '99999999999', ' 7']
    const index = await indexed('city', [...numbers(1, 50), '007', ...foreign])
    const { orphans, run } = await verified('city')
    // '007' casts to a key, and is the id of no row.
    expect(orphans).toEqual(['007'])
    expect(run.state).toBe('done')
    expect(run.error).toMatch(new RegExp(`^4 ids are no key of city and left alone .*"abc" in ${index}`))
  })

  test('decodes ids of several parts', async () => {
    await indexed('street', [
      'a%3Ab:1',
      'a:2',
      '100%25:3',
      'a%3Ab:2',
      'gone:1',
      'a:b:1',
      'plain',
      'x:notanumber',
    ])
    const { orphans, rows, run } = await verified('street')
    expect(orphans.toSorted()).toEqual(['["a:b", "2"]', '["gone", "1"]'])
    expect(rows.toSorted()).toEqual(['["100%", "3"]', '["a", "2"]', '["a:b", "1"]'])
    expect(run.error).toMatch(/^3 ids are no key of street/)
  })

  test('of an empty table marks all that the index holds: it was truncated', async () => {
    await db.pool.query('DELETE FROM street')
    await indexed('street', ['a:1', 'a:2'])
    const { orphans, rows } = await verified('street')
    expect(orphans.toSorted()).toEqual(['["a", "1"]', '["a", "2"]'])
    expect(rows).toEqual([])
    await db.pool.query("INSERT INTO street VALUES ('a:b', 1), ('a', 2), ('100%', 3)")
  })

  test('lists only after the claims that were open have ended', async () => {
    const index = await indexed('city', [])
    await enqueueKeys(db.pool, SCHEMA, { document: 'city', lane: 0, op: 'update', keys: ['5000'] })
    const client = await db.pool.connect()
    const { run, outcome } = await claimedMeanwhile(client, async () => {
      await claimMarks(client, SCHEMA, { document: 'city', lane: 0, maxKeys: 10, idleTimeoutMs: 60_000 })
      const started = await start('city')
      await eventually(async () => (await readRun(db.pool, SCHEMA, started.run.id))?.cursor?.step === 'list')
      // What the older batch had loaded before its row went away arrives now.
      await search.request('PUT', `/${index}/_doc/5000`, {})
      expect((await readRun(db.pool, SCHEMA, started.run.id))?.cursor?.step).toBe('list')
      return started
    })
    const drained = drainer(db.pool)
    expect(await outcome).toBe('done')
    expect(await drained.stop()).toContain('5000')
    expect(await readRun(db.pool, SCHEMA, run.id)).toMatchObject({ walked: 1991 })
  })

  test('that broke off while listing lists again, whole', async () => {
    await indexed('city', numbers(1950, 2050))
    await requestRun(db.pool, SCHEMA, { kind: 'verify', options: REWRITE, document: 'city' })
    const first = await takeRun(db.pool, SCHEMA, 'a', ['city'])
    if (first === null) throw new Error('nothing to take')
    const breaking = {
      ...elasticsearch,
      listDocuments: async function* (index: string) {
        for await (const page of elasticsearch.listDocuments(index)) {
          yield page.slice(0, 50)
          throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
        }
      },
    }
    const broken = executeRun(
      { ...contextOf('a'), elasticsearch: breaking },
      first,
      new AbortController().signal,
    )
    await expect(broken).rejects.toThrow('ECONNRESET')
    const again = await readRun(db.pool, SCHEMA, first.id)
    if (again === null) throw new Error('the run is gone')
    expect(again).toMatchObject({ state: 'running', cursor: { step: 'list' } })
    const drained = drainer(db.pool)
    expect(await executeRun(contextOf('a'), again, new AbortController().signal)).toBe('done')
    const keys = await drained.stop()
    expect(keys).toEqual(expect.arrayContaining(numbers(1991, 2050)))
    // Counted anew: 60 orphans and 1,990 rows.
    expect(await readRun(db.pool, SCHEMA, first.id)).toMatchObject({ walked: 2050, total: 2050 })
  })

  test('goes on with the walk where it stood, without listing again', async () => {
    await indexed('city', numbers(1991, 1999))
    const { run, outcome } = await start('city')
    await eventually(async () => (await readRun(db.pool, SCHEMA, run.id))?.cursor?.step === 'drain')
    await db.pool.query(`UPDATE "${SCHEMA}".sync_run SET worker = 'b'`)
    expect(await outcome).toBe('lost')
    const there = await readRun(db.pool, SCHEMA, run.id)
    if (there === null) throw new Error('the run is gone')
    const blind = {
      ...elasticsearch,
      refresh: () => Promise.reject(new Error('no second listing')),
      listDocuments: () => {
        throw new Error('no second listing')
      },
    }
    const drained = drainer(db.pool)
    expect(
      await executeRun({ ...contextOf('b'), elasticsearch: blind }, there, new AbortController().signal),
    ).toBe('done')
    await drained.stop()
  })

  test('asked for during a verify follows it', async () => {
    await indexed('city', [])
    const { outcome } = await start('city')
    await requestRun(db.pool, SCHEMA, {
      kind: 'verify',
      document: 'city',
      onActive: 'verify-after',
      origin: '88',
    })
    const drained = drainer(db.pool)
    expect(await outcome).toBe('done')
    await drained.stop()
    expect(await readRuns(db.pool, SCHEMA, { active: true })).toMatchObject([
      { kind: 'verify', origin: '88' },
    ])
  })
})
