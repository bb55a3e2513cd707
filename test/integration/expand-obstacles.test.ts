import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runBatch } from '../../src/sync/batch.ts'
import { alarmOf } from '../../src/sync/obstacle.ts'
import { createExpandWorld, type ExpandWorld, views } from './expand-world.ts'
import { SCHEMA } from './sync-world.ts'

/** Marks of related tables whose way to the documents is slow, locked or gone. */

let world: ExpandWorld

beforeAll(async () => {
  world = await createExpandWorld()
})
afterAll(() => world.drop())
beforeEach(() => world.clear())

const run = () => runBatch(world.context, world.related)
const runs = () => world.runs()
const failures = () => world.failures()
const restoreViews = () => world.restoreViews()

test('the looks at several sources take no longer together than a request may: the claim would be cut off', async () => {
  const { pool } = world.database
  await world.own(1, 'ann', 'north')
  const slow = (name: keyof typeof views, links: string, seconds: number) =>
    pool.query(
      `CREATE OR REPLACE VIEW "${SCHEMA}"."${views[name]}" AS
         SELECT ${links}, CASE WHEN current_setting('transaction_read_only') = 'off' THEN ''
                               ELSE pg_sleep(${seconds})::text END || o.thing_id AS key FROM ownership o`,
    )
  await slow('owner', 'o.owner AS link_1', 60)
  // Quick enough by itself.
  await slow('place', 'o.owner AS link_1, o.region AS link_2', 0.3)
  await world.mark({ source: 'owner', keys: ['ann'] })
  await world.mark({ source: 'place', keys: ['["ann", "north"]'] })
  const limits = { ...world.context.limits, requestTimeout: 1_000 }
  const result = await runBatch({ ...world.context, limits }, world.related)
  await restoreViews()
  expect(result).toMatchObject({ outcome: 'expanded', turned: 2 })
})

describe('when the way to the documents is gone', () => {
  afterEach(() => restoreViews())

  test('the document waits with an alarm, nobody is charged, and no mark is lost', async () => {
    const { pool } = world.database
    await world.own(1, 'ann')
    await world.mark({ source: 'owner', keys: ['ann'] })
    await world.mark({ keys: ['1'] })
    const before = await world.marks()
    await pool.query(`DROP VIEW "${SCHEMA}"."${views.owner}"`)
    const result = await run()
    expect(result).toMatchObject({
      outcome: 'given-back',
      obstacle: { scope: 'document', type: 'sqlstate_42P01' },
    })
    expect(result.outcome === 'given-back' && alarmOf(result.obstacle)).toMatch(/run sluice install/)
    expect(await world.marks()).toEqual(before)
    expect(await failures()).toEqual([])
    expect(await runs()).toEqual([])
  })

  test('because a migration holds its table, the document waits', async () => {
    const { pool } = world.database
    await world.own(1, 'ann')
    await world.mark({ source: 'owner', keys: ['ann'] })
    const before = await world.marks()
    const migration = await pool.connect()
    await migration.query('BEGIN; LOCK TABLE ownership IN ACCESS EXCLUSIVE MODE')
    const limits = { ...world.context.limits, requestTimeout: 400 }
    const result = await runBatch({ ...world.context, limits }, world.related)
    await migration.query('ROLLBACK')
    migration.release()
    expect(result).toMatchObject({
      outcome: 'given-back',
      obstacle: { scope: 'document', type: 'sqlstate_55P03' },
    })
    expect(await world.marks()).toEqual(before)
  })
})
