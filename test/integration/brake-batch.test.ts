import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { UnreachableError } from '../../src/errors.ts'
import { enqueueKeys } from '../../src/queue/enqueue-keys.ts'
import { type BatchContext, runBatch } from '../../src/sync/batch.ts'
import { SliceSizer } from '../../src/sync/slice-sizer.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

let world: SyncWorld

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())
beforeEach(async () => {
  const { pool } = world.database
  await pool.query(`TRUNCATE thing, "${SCHEMA}".sync_queue, "${SCHEMA}".sync_brake`)
})

describe('the mass-delete brake', () => {
  const counted = async () => {
    const { rows } = await world.database.pool.query(
      `SELECT deletes::integer, tripped_at IS NOT NULL AS tripped, parked::integer, sample FROM "${SCHEMA}".sync_brake`,
    )
    return rows[0] ?? null
  }
  const wantedGone = (from: number, to: number) =>
    enqueueKeys(world.database.pool, SCHEMA, {
      document: 'thing',
      lane: 0,
      op: 'orphan',
      keys: Array.from({ length: to - from + 1 }, (_, n) => String(from + n)),
    })
  /** Documents that have no row, and nobody says why. */
  const ghosts = async (from: number, to: number) => {
    const { pool } = world.database
    await pool.query("INSERT INTO thing SELECT n, 'ghost' FROM generate_series($1::int, $2::int) n", [
      from,
      to,
    ])
    await wantedGone(from, to)
    while ((await runBatch(world.context, world.request)).outcome !== 'empty') {
      // Until all are there.
    }
    await pool.query('DELETE FROM thing')
    await wantedGone(from, to)
  }
  test('is not read where every delete has its mark', async () => {
    await world.change(1, 'one')
    await world.database.pool.query(`DELETE FROM thing; UPDATE "${SCHEMA}".sync_queue SET op = 'delete'`)
    // It could not be.
    await world.database.pool.query(`ALTER TABLE "${SCHEMA}".sync_brake RENAME TO hidden`)
    const result = await runBatch(world.context, world.request)
    await world.database.pool.query(`ALTER TABLE "${SCHEMA}".hidden RENAME TO sync_brake`)
    expect(result).toMatchObject({ outcome: 'settled', tripped: null })
  })

  test('counts what was deleted, once the batch is settled', async () => {
    await ghosts(1, 3)
    const cut: BatchContext['elasticsearch'] = {
      ...world.elasticsearch,
      bulk: async (body, operations) => {
        const answer = await world.elasticsearch.bulk(body, operations)
        await world.database.pool.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()`,
        )
        return answer
      },
    }
    expect(await runBatch({ ...world.context, elasticsearch: cut }, world.request)).toMatchObject({
      outcome: 'given-back',
    })
    expect(await counted()).toBeNull()
    // They are absent by now: as far as anybody can tell, this batch deletes nothing.
    await runBatch(world.context, world.request)
    expect(await counted()).toBeNull()

    await ghosts(4, 6)
    await runBatch(world.context, world.request)
    expect(await counted()).toEqual({ deletes: 3, tripped: false, parked: 0, sample: [] })
  })

  test('adds up the slices of one batch, and holds back what would pass the limit', async () => {
    const context = { ...world.context, limits: { ...world.context.limits, batchSize: 3000 } }
    await ghosts(1001, 4000)
    const result = await runBatch(context, { ...world.request, sizer: new SliceSizer() })
    const state = await counted()
    expect(state).toMatchObject({ tripped: true })
    expect(state.deletes).toBeLessThanOrEqual(1_000)
    expect(state.deletes + state.parked).toBe(3_000)
    expect(result).toMatchObject({
      outcome: 'settled',
      tripped: expect.stringMatching(/sluice resume thing --deletes/),
    })
    expect(await world.indexed(4000)).toBe('ghost')

    // Held back keys are marked as they were, and told of once.
    await wantedGone(4000, 4000)
    expect(await runBatch(context, world.request)).toMatchObject({ outcome: 'settled', tripped: null })
    const { rows } = await world.database.pool.query(`SELECT DISTINCT lane, op FROM "${SCHEMA}".sync_queue`)
    expect(rows).toEqual([{ lane: 2, op: 'orphan' }])
  })

  test('gives the batch back when Elasticsearch does not say what is there', async () => {
    await ghosts(5001, 5003)
    await world.database.pool.query(
      `INSERT INTO "${SCHEMA}".sync_brake VALUES ('thing', now(), 1000, 1000, now(), 5, '{7}')`,
    )
    const existing = () => Promise.reject(new UnreachableError('away'))
    const elasticsearch = { ...world.elasticsearch, existing }
    expect(await runBatch({ ...world.context, elasticsearch }, world.request)).toMatchObject({
      outcome: 'given-back',
      obstacle: { scope: 'elasticsearch' },
    })
    expect(await world.pendingKeys()).toBe(3)
  })
})
