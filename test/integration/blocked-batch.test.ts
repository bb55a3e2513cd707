import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readStanding } from '../../src/runs/standing.ts'
import { type BatchContext, runBatch } from '../../src/sync/batch.ts'
import { Tally } from '../../src/sync/tally.ts'
import { eventually } from '../support/context.ts'
import { createSyncWorld, noneBlocked, SCHEMA, type SyncWorld } from './sync-world.ts'

/** Batches of a document that has two indices, of which one takes no writes (invariant 10). */

let world: SyncWorld
let building: string
/** Of a daemon of its own, with a memory of its own. */
let context: BatchContext

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())
beforeEach(async () => {
  await world.database.pool.query(
    `TRUNCATE thing, "${SCHEMA}".sync_queue, "${SCHEMA}".sync_failed, "${SCHEMA}".sync_run, "${SCHEMA}".sync_log, "${SCHEMA}".sync_rollup`,
  )
  context = { ...world.context, blocked: noneBlocked() }
  building = await world.addTarget(Math.random().toString(36).slice(2, 8).padEnd(6, 'x'))
})
afterEach(async () => {
  await block(world.index, false)
  await world.database.pool.query(`DELETE FROM "${SCHEMA}".sync_index WHERE role = 'building'`)
})

const block = (index: string, blocked: boolean) =>
  world.search.request('PUT', `/${index}/_settings`, { 'index.blocks.write': blocked })

const marks = async () => {
  const { rows } = await world.database.pool.query(
    `SELECT lane, keys, op, target, run_id::text AS run, origin::text AS origin FROM "${SCHEMA}".sync_queue ORDER BY id`,
  )
  return rows
}

/** Origins of the marks that wait, by key. */
const origins = async () =>
  Object.fromEntries((await marks()).flatMap(({ keys, origin }) => keys.map((key: string) => [key, origin])))

const failures = async () =>
  (await world.database.pool.query(`SELECT key, target, state FROM "${SCHEMA}".sync_failed`)).rows

describe.each([
  ['read-only', () => block(building, true)],
  ['closed', () => world.search.request('POST', `/${building}/_close`)],
  ['missing', () => world.search.request('DELETE', `/${building}`)],
])('when one of two indices is %s', (_, disable) => {
  test('its keys are parked, uncharged, with what their marks said; the other index gets everything', async () => {
    await disable()
    await world.change(1, 'one')
    await world.change(2, null)
    const before = await origins()
    expect(await runBatch(context, world.request)).toMatchObject({ outcome: 'settled', obstacle: null })
    expect(await world.indexed(1)).toBe('one')
    expect(await marks()).toEqual([
      { lane: 2, keys: ['1'], op: 'update', target: building, run: null, origin: before['1'] },
      { lane: 2, keys: ['2'], op: 'update', target: building, run: null, origin: before['2'] },
    ])
    expect(await failures()).toEqual([])
  })
})

test('what is on its way while another batch finds an index blocked is sent or parked, and not lost', async () => {
  const { pool } = world.database
  await world.change(1, 'one')
  const locker = await pool.connect()
  await locker.query('BEGIN; LOCK TABLE thing IN ACCESS EXCLUSIVE MODE')
  const batch = runBatch(context, world.request)
  await eventually(async () => {
    const { rows } = await pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return rows.length > 0
  })
  const target = {
    index: building,
    alias: world.plan.index,
    uuid: '',
    role: 'building',
    releasedAt: null,
  } as const
  context.blocked.refused('thing', target, { type: 'closed', reason: 'why' })
  await locker.query('COMMIT')
  locker.release()
  expect(await batch).toMatchObject({ outcome: 'settled' })
  const parked = (await marks()).filter(({ lane }) => lane === 2)
  expect([await world.indexed(1, building), ...parked.flatMap(({ keys }) => keys)]).toEqual(['one'])
})

describe('while an index is known to be blocked', () => {
  beforeEach(async () => {
    await block(building, true)
    await world.change(1, 'one')
    await runBatch(context, world.request)
  })

  test('its keys are parked without being sent', async () => {
    const sent: string[] = []
    const elasticsearch: BatchContext['elasticsearch'] = {
      ...world.elasticsearch,
      bulk: (body, operations) => {
        sent.push(...operations.map(({ index }) => index))
        return world.elasticsearch.bulk(body, operations)
      },
    }
    await world.change(2, 'two')
    await runBatch({ ...context, elasticsearch }, world.request)
    expect(sent).toEqual([world.index])
    expect((await marks()).map(({ keys, target }) => [keys, target])).toEqual([
      [['1'], building],
      [['2'], building],
    ])
  })

  test('the statistics say what waits, and the log what was parked', async () => {
    const { pool } = world.database
    await world.change(2, 'two')
    await runBatch(context, { ...world.request, dueLog: new Tally() })
    const stats = await pool.query(
      `SELECT pending_keys::int, parked_keys::int, blocked_keys::int, oldest_parked_age IS NOT NULL AS aged FROM "${SCHEMA}".sync_stats`,
    )
    expect(stats.rows).toEqual([{ pending_keys: 0, parked_keys: 2, blocked_keys: 2, aged: true }])
    const log = await pool.query(
      `SELECT index, operation, count::int FROM "${SCHEMA}".sync_log WHERE outcome = 'blocked'`,
    )
    expect(log.rows).toEqual([{ index: building, operation: 'none', count: 1 }])
    const rollup = await pool.query(
      `SELECT "${SCHEMA}".sum_counts(lag_counts) AS counts FROM "${SCHEMA}".sync_rollup`,
    )
    expect(rollup.rows[0]?.counts.reduce((sum: number, n: string) => sum + Number(n), 0)).toBe(1)
  })

  test('a batch of which no index takes anything is given back as a whole', async () => {
    await block(world.index, true)
    await world.change(2, 'two')
    expect(await runBatch(context, world.request)).toMatchObject({
      outcome: 'given-back',
      obstacle: { scope: 'document', type: 'cluster_block_exception' },
    })
    expect((await marks()).map(({ lane, keys, target }) => [lane, keys, target])).toEqual([
      [2, ['1'], building],
      [0, ['2'], null],
    ])
    await block(world.index, false)
    expect(await runBatch(context, world.request)).toMatchObject({ outcome: 'settled' })
    expect(await world.indexed(2)).toBe('two')
  })

  test('a run’s keys stay the run’s: it does not end before they are in all indices', async () => {
    const { pool } = world.database
    const { rows } = await pool.query(
      `INSERT INTO "${SCHEMA}".sync_run (kind, document, state) VALUES ('backfill', 'thing', 'running') RETURNING id::text`,
    )
    const run = rows[0]?.id
    await pool.query(
      `INSERT INTO "${SCHEMA}".sync_queue (document, lane, keys, op, run_id) VALUES ('thing', 1, '{1}', 'backfill', $1)`,
      [run],
    )
    const standing = () => readStanding(pool, SCHEMA, run)
    const processed = async () =>
      (await pool.query(`SELECT processed::int, updated::int FROM "${SCHEMA}".sync_run`)).rows[0]
    await runBatch(context, { ...world.request, lane: 1 })
    expect(await standing()).toMatchObject({ pendingMarks: 1, pendingKeys: 1, parkedKeys: 1 })
    expect(await processed()).toEqual({ processed: 0, updated: 1 })

    await block(building, false)
    await pool.query(`SELECT "${SCHEMA}".release_target($1, 10000)`, [building])
    expect(await standing()).toMatchObject({ pendingMarks: 1, parkedKeys: 0 })
    context = { ...context, blocked: noneBlocked() }
    await runBatch(context, { ...world.request, lane: 1 })
    expect(await standing()).toMatchObject({ pendingMarks: 0 })
    expect(await processed()).toEqual({ processed: 1, updated: 1 })
  })
})

describe('a trial', () => {
  const trial = () => ({ ...world.request, lane: 2, target: building }) as const
  beforeEach(async () => {
    await block(building, true)
    await world.change(1, 'one')
    await runBatch(context, world.request)
  })

  test('that is refused leaves its mark where it is', async () => {
    const before = await marks()
    expect(await runBatch(context, trial())).toMatchObject({
      outcome: 'given-back',
      obstacle: { scope: 'index', type: 'cluster_block_exception' },
    })
    expect(await marks()).toEqual(before)
    expect(await failures()).toEqual([])
  })

  test('that succeeds brings its key, as it is now, to that index alone', async () => {
    await block(building, false)
    await world.database.pool.query("UPDATE thing SET name = 'eins'")
    expect(await runBatch(context, trial())).toMatchObject({ outcome: 'settled' })
    expect([await world.indexed(1, building), await world.indexed(1)]).toEqual(['eins', 'one'])
    expect(await marks()).toEqual([])
  })

  test('takes no mark that another daemon tries', async () => {
    const other = await world.database.pool.connect()
    await other.query(`BEGIN; SELECT "${SCHEMA}".try_target('${building}')`)
    expect(await runBatch(context, trial())).toEqual({ outcome: 'empty' })
    await other.query('ROLLBACK')
    other.release()
    expect(await marks()).toHaveLength(1)
  })
})
