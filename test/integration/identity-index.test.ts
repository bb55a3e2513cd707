import { type Logger, pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newIndexName, readMakers, signedMappings } from '../../src/capture/document-index.ts'
import { propertiesOf } from '../../src/documents/merge.ts'
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

describe('a database that was set back to before a reindex', () => {
  /** What an alias points to, made by sluice, and that this database does not know. */
  const reindexed = async (properties = {}) => {
    const { search, index, plan, elasticsearch } = world
    const name = newIndexName(plan.index)
    const [maker] = await readMakers(world.database.pool, SCHEMA, 'thing')
    const mappings = { ...plan.mappings, properties: { ...propertiesOf(plan.mappings), ...properties } }
    await elasticsearch.createIndex({ name, mappings: signedMappings({ mappings }, maker), settings: {} })
    await search.request('PUT', `/${name}/_doc/99?refresh=true`, { id: 99, name: 'of a row that is lost' })
    await search.request('POST', '/_aliases', {
      actions: [{ remove: { index, alias: plan.index } }, { add: { index: name, alias: plan.index } }],
    })
    return name
  }
  const roles = async () => {
    const { rows } = await world.database.pool.query<{ name: string; role: string; hash: string }>(
      `SELECT name, role, hash FROM "${SCHEMA}".sync_index ORDER BY name`,
    )
    return Object.fromEntries(rows.map(({ name, role }) => [name, role]))
  }
  /** As it was before the test. */
  const back = async (name: string) => {
    const { search, index, plan } = world
    await search.request('DELETE', `/${name}`)
    await search.request('POST', '/_aliases', { actions: [{ add: { index, alias: plan.index } }] })
    await world.database.pool.query(`DELETE FROM "${SCHEMA}".sync_index WHERE name = $1`, [name])
    await world.database.pool.query(`UPDATE "${SCHEMA}".sync_index SET role = 'live', drop_at = NULL`)
    await look()
    expect(await state()).toMatchObject([{ alarm: null }])
  }

  test('takes in what its alias points to, and asks for a verify, once', async () => {
    const { index } = world
    const name = await reindexed()
    await look()
    expect(await roles()).toEqual({ [index]: 'kept', [name]: 'live' })
    const reason = expect.stringMatching(/did not know: it was set back .*; .* is kept for a day$/)
    expect(await state()).toEqual([
      { state: 'active', alarm: null, kind: 'verify', run: 'requested', reason },
    ])
    await world.change(50, 'to both')
    await runBatch(world.context, world.request)
    expect(await world.indexed(50, name)).toBe('to both')
    await world.database.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
    await look()
    expect(await state()).toMatchObject([{ run: null, alarm: null }])
    await back(name)
  })

  test('leaves alone what does not fit, or what it has not made, and says so', async () => {
    const { index, plan, search } = world
    const other = await reindexed({ name: { type: 'long' } })
    await look()
    const said =
      /does not point to .*, but to .* does not fit: field name is long .*sluice reindex thing builds/
    expect(await state()).toMatchObject([{ run: null, alarm: expect.stringMatching(said) }])
    await back(other)
    await search.request('PUT', `/${plan.index}-2026-theirs`, { aliases: { [plan.index]: {} } })
    await search.request('POST', '/_aliases', { actions: [{ remove: { index, alias: plan.index } }] })
    await look()
    expect(await roles()).toEqual({ [index]: 'live' })
    expect(await state()).toMatchObject([{ run: null, alarm: expect.stringMatching(/Put it back/) }])
    await back(`${plan.index}-2026-theirs`)
  })

  test('knows what it made under the name that it had before it was restored elsewhere', async () => {
    const { pool } = world.database
    const name = await reindexed()
    const theirs = (database: string) =>
      world.search.request('PUT', `/${name}/_mapping`, {
        _meta: { sluice: { schema: SCHEMA, document: 'thing', database } },
      })
    await theirs('7000000000000000000/shop')
    await look()
    expect(await state()).toMatchObject([{ alarm: expect.stringMatching(/Put it back/) }])
    await pool.query(
      `INSERT INTO "${SCHEMA}".sync_identity (system_identifier, timeline, known_as) VALUES ('7000000000000000000', '00000001', ARRAY['7000000000000000000/shop'])`,
    )
    await look()
    expect(await roles()).toMatchObject({ [name]: 'live' })
    await back(name)
  })
})
