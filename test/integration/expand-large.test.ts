import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { definitionHash } from '../../src/documents/hash.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { runBatch } from '../../src/sync/batch.ts'
import { Daemon } from '../../src/sync/daemon.ts'
import { Dispatcher } from '../../src/sync/dispatcher.ts'
import type { BatchResult } from '../../src/sync/types.ts'
import { runWorker } from '../../src/sync/worker.ts'
import { eventually } from '../support/context.ts'
import { createExpandWorld, type ExpandWorld, largeExpansions, views } from './expand-world.ts'
import { SCHEMA, thing } from './sync-world.ts'

/** Marks of related tables that lead to more documents than go into one batch: they become marks in the bulk lane. */

let world: ExpandWorld
const { run, ownMany, keysOf, restoreView } = largeExpansions(() => world)

beforeAll(async () => {
  world = await createExpandWorld()
})
afterAll(() => world.drop())
beforeEach(() => world.clear())

describe('a mark that leads to many documents', () => {
  test('becomes array marks in the bulk lane, with its origin and its age', async () => {
    await ownMany('ann', 600)
    await world.mark({ source: 'owner', keys: ['bob', 'ann'], origin: '77', ageMinutes: 5 })
    expect(await run()).toEqual({ outcome: 'expanded', turned: 1, verify: null })
    const marks = await world.marks()
    const inherited = { lane: 1, source: '', op: 'update', origin: '77', target: null, run: null }
    expect(marks).toMatchObject([inherited, inherited])
    expect(await world.ages()).toEqual([5, 5])
    expect(marks.map(({ keys }) => keys?.length)).toEqual([500, 100])
    const keys = marks.flatMap((mark) => mark.keys ?? [])
    expect(keys).toEqual(Array.from({ length: 600 }, (_, n) => String(n + 1)).sort())

    while ((await run(1)).outcome !== 'empty');
    expect([await world.indexed(1), await world.indexed(600)]).toEqual(['thing 1', 'thing 600'])
  })

  test('is one of a hundred and one; a hundred go on in the same batch', async () => {
    await ownMany('ann', 100)
    await world.mark({ source: 'owner', keys: ['ann'] })
    expect(await run()).toMatchObject({ outcome: 'settled' })
    await ownMany('ann', 1, 101)
    await world.mark({ source: 'owner', keys: ['ann'] })
    expect(await run()).toMatchObject({ outcome: 'expanded', turned: 1 })
  })

  test('leaves the others of its claim as they were, each with its place', async () => {
    await ownMany('ann', 200)
    await world.own(500, 'bob')
    await world.mark({ keys: ['500'] })
    await world.mark({ source: 'owner', keys: ['ann'] })
    await world.mark({ source: 'owner', keys: ['bob'] })
    const [first, , third] = await world.marks()
    await run()
    expect((await world.marks()).filter(({ lane }) => lane === 0)).toEqual([first, third])
    expect(await run()).toMatchObject({ outcome: 'settled' })
    expect(await world.indexed(500)).toBe('thing 500')
  })

  test('is marked once with all that lead to the same documents; the oldest origin and moment survive', async () => {
    await ownMany('ann', 150)
    await world.database.pool.query("INSERT INTO ownership SELECT thing_id, 'bob' FROM ownership")
    await world.mark({ source: 'owner', keys: ['ann'], origin: '1000', ageMinutes: 5 })
    await world.mark({ source: 'owner', keys: ['bob'], origin: '999' })
    await world.mark({ source: 'owner', keys: ['ann'], origin: '2000' })
    expect(await run()).toMatchObject({ outcome: 'expanded', turned: 3 })
    expect(await world.marks()).toMatchObject([{ origin: '999' }])
    expect(await world.ages()).toEqual([5])
    expect(await keysOf()).toHaveLength(150)
  })

  test('passes its index and its run on; those of different ones stay apart', async () => {
    await ownMany('ann', 150)
    await world.mark({ source: 'owner', keys: ['ann'], target: 'things-2', runId: '5' })
    await world.mark({ source: 'owner', keys: ['ann'] })
    await run()
    expect(await world.marks()).toMatchObject([
      { target: 'things-2', run: '5', lane: 1 },
      { target: null, run: null, lane: 1 },
    ])
  })

  test('is large by all its values together, when a batch has no room for them', async () => {
    const { pool } = world.database
    await ownMany('', 400)
    await pool.query("UPDATE ownership SET owner = 'owner ' || thing_id / 50")
    const owners = Array.from({ length: 9 }, (_, n) => `owner ${n}`)
    await world.mark({ source: 'owner', keys: owners, lane: 1 })
    const limits = { ...world.context.limits, batchSize: 100 }
    expect(await runBatch({ ...world.context, limits }, { ...world.related, lane: 1 })).toMatchObject({
      outcome: 'expanded',
      turned: 1,
    })
    expect(await world.marks()).toMatchObject([{ source: '', lane: 1 }])
    expect(await keysOf()).toHaveLength(400)
  })

  test('leaves out values that the column one level up cannot hold', async () => {
    const { pool } = world.database
    await ownMany('ann', 150)
    await pool.query(
      `CREATE OR REPLACE VIEW "${SCHEMA}"."${views.parts}" AS SELECT 7::bigint AS link_1, t.id::text AS key FROM thing t`,
    )
    await world.mark({ source: 'parts', keys: ['99999999999999999999', '7'] })
    expect(await run()).toEqual({ outcome: 'expanded', turned: 1, verify: null })
    await restoreView('parts')
    expect(await keysOf()).toHaveLength(150)
  })

  test('by a link of several columns leads where all of them are equal', async () => {
    const { pool } = world.database
    await ownMany("o'ann\\", 150)
    await pool.query("UPDATE ownership SET region = CASE WHEN thing_id > 20 THEN 'north' ELSE 'south' END")
    const link = (region: string) => JSON.stringify(["o'ann\\", region]).replace(',', ', ')
    await world.mark({ source: 'place', keys: [link('north')] })
    expect(await run()).toMatchObject({ outcome: 'expanded', turned: 1 })
    expect(await keysOf()).toHaveLength(130)
  })

  test('is listed under the settings that all reads have', async () => {
    const { pool } = world.database
    await ownMany('ann', 150)
    await pool.query(
      `CREATE OR REPLACE VIEW "${SCHEMA}"."${views.owner}" AS
         SELECT o.owner AS link_1, o.thing_id::text AS key FROM ownership o
          WHERE current_setting('row_security') = 'off' AND current_setting('TimeZone') = 'UTC'
            AND current_setting('statement_timeout') <> '0'`,
    )
    await world.mark({ source: 'owner', keys: ['ann'] })
    await run()
    await restoreView('owner')
    expect(await keysOf()).toHaveLength(150)
  })
})

describe('a worker that has turned such a mark', () => {
  test('goes on at once with what is left of the claim', async () => {
    await ownMany('ann', 150)
    await world.own(500, 'bob')
    await world.mark({ source: 'owner', keys: ['ann'] })
    await world.mark({ keys: ['500'] })
    const dispatcher = new Dispatcher({
      now: () => performance.now(),
      random: Math.random,
      concurrency: 1,
      trialMs: 60_000,
    })
    const outcomes: BatchResult['outcome'][] = []
    const worker = runWorker({
      ...world.context,
      dispatcher,
      fronts: { of: () => 0n },
      plans: new Map([['thing', world.plan]]),
      hashes: new Map([['thing', world.related.hash]]),
      unwritten: new Map(),
      sizers: new Map(),
      confidences: new Map(),
      transforms: new Map(),
      onBatch: (_, { outcome }) => outcomes.push(outcome),
    })
    dispatcher.open()
    dispatcher.found([{ document: 'thing', lane: 0 }])
    await eventually(() => expect(outcomes).toEqual(['expanded', 'settled']))
    dispatcher.stop()
    await worker
    expect(await world.indexed(500)).toBe('thing 500')
  })

  test('has a daemon that looks at once for the bulk marks that came of it', async () => {
    const { pool } = world.database
    await pool.query(`UPDATE "${SCHEMA}".sync_document SET plan = $1 WHERE name = 'thing'`, [
      JSON.stringify(world.plan),
    ])
    await ownMany('ann', 600)
    await world.mark({ source: 'owner', keys: ['ann'] })
    const instance = `test-${randomUUID()}`
    const workers = createPool(world.database.url, { max: 8, applicationName: instance })
    const documents = new Map([['thing', thing(world.plan.index)]])
    expect(definitionHash(thing(world.plan.index))).toBe(world.related.hash)
    const daemon = new Daemon({
      settings: {
        postgres: world.database.url,
        elasticsearch: { url: world.search.url },
        schema: SCHEMA,
        instance,
        logLevel: 'silent',
        documents,
        file: 'sluice.config.ts',
        // Two polls of this interval are longer than this test may take.
        limits: { ...world.context.limits, pollingInterval: 60_000 },
      },
      pool: workers,
      elasticsearch: world.elasticsearch,
      log: pino({ level: 'silent' }),
    })
    daemon.start()
    try {
      await eventually(async () => expect(await world.indexed(600)).toBe('thing 600'))
    } finally {
      await daemon.stop()
      await workers.end()
    }
  })
})
