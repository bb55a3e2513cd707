import { type Logger, pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { runBatch } from '../../src/sync/batch.ts'
import { checkIndexIdentity } from '../../src/sync/index-identity.ts'
import { eventually } from '../support/context.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

/** An index that is not the one it was (invariant 13). */

let world: SyncWorld
beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world?.drop())
beforeEach(() =>
  world.database.pool.query(`TRUNCATE thing, "${SCHEMA}".sync_queue, "${SCHEMA}".sync_run CASCADE`),
)

const silent = pino({ level: 'silent' })

const look = (log: Logger = silent) => {
  const { context, elasticsearch, plan } = world
  return checkIndexIdentity(
    {
      pool: context.pool,
      schema: SCHEMA,
      elasticsearch,
      log,
      unseen: new Map(),
    },
    'thing',
    plan.index,
  )
}

const state = async () => {
  const { rows } = await world.database.pool.query(
    `SELECT d.state, d.alarm, r.kind, r.state AS run, r.reason FROM "${SCHEMA}".sync_document d
       LEFT JOIN "${SCHEMA}".sync_run r ON r.document = d.name`,
  )
  return rows
}

test('an index that kept its UUID and lost its documents asks for a verify at once, and only once', async () => {
  for (let id = 1; id <= 5; id++) await world.change(id, 'kept in Postgres')
  await runBatch(world.context, world.request)
  await look()
  expect(await state()).toEqual([{ state: 'active', alarm: null, kind: null, run: null, reason: null }])

  // What an operator does who has lost the disk of the only copy: its shard is made anew, empty.
  const { search, index } = world
  const shard = { index, shard: 0, node: 'one' }
  const lose = [
    { cancel: { ...shard, allow_primary: true } },
    { allocate_empty_primary: { ...shard, accept_data_loss: true } },
  ]
  expect(await search.request('POST', '/_cluster/reroute', { commands: lose })).toMatchObject({
    acknowledged: true,
  })
  await search.request('GET', `/_cluster/health/${index}?wait_for_status=yellow`)
  // Once the shard has started.
  await eventually(async () => {
    await look()
    const reason = expect.stringMatching(
      /lost what it had: its shard 0 was at operation \d+, and is at -1 of another history/,
    )
    expect(await state()).toEqual([
      { state: 'active', alarm: null, kind: 'verify', run: 'requested', reason },
    ])
  })
  expect(await world.indexed(1)).toBeNull()
  await world.database.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
  await look()
  expect(await state()).toMatchObject([{ run: null }])
})

test('an alias that was moved by hand is an alarm until it is put back; nothing stops', async () => {
  const { search, index, plan } = world
  const alias = (action: 'add' | 'remove') =>
    search.request('POST', '/_aliases', { actions: [{ [action]: { index, alias: plan.index } }] })
  await alias('remove')
  await look()
  expect(await state()).toMatchObject([
    { state: 'active', run: null, alarm: expect.stringMatching(/does not point to .*Put it back/) },
  ])
  await alias('add')
  await look()
  expect(await state()).toMatchObject([{ alarm: null }])
})
