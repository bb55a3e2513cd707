import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPool } from '../../src/postgres/connect.ts'
import { rememberIdentity } from '../../src/postgres/identity.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { currentVersion, raiseVersionFloor } from '../../src/postgres/version.ts'
import { runBatch } from '../../src/sync/batch.ts'
import { checkVersions } from '../../src/sync/foreign-versions.ts'
import { joinDatabase } from '../../src/sync/join-database.ts'
import { postgresStore } from '../../src/sync/postgres-store.ts'
import { promote, startStandby } from '../drills/copies.ts'
import { eventually } from '../support/context.ts'
import { type PostgresServer, startPostgres } from '../support/servers/index.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

/** A database that is not the one it was. What operators see of it, `npm run drill` shows. */

let world: SyncWorld
beforeAll(async () => {
  world = await createSyncWorld()
  await rememberIdentity(world.database.pool, SCHEMA)
})
afterAll(() => world?.drop())
beforeEach(() =>
  world.database.pool.query(`TRUNCATE thing, "${SCHEMA}".sync_queue, "${SCHEMA}".sync_run CASCADE`),
)

const log = pino({ level: 'silent' })

async function lookForVersions(): Promise<readonly string[]> {
  const { plan, elasticsearch, index } = world
  await elasticsearch.refresh(index)
  await checkVersions({ pool: world.context.pool, schema: SCHEMA, elasticsearch, log }, 'thing', plan.index)
  const { rows } = await world.database.pool.query<{ reason: string }>(
    `SELECT reason FROM "${SCHEMA}".sync_run WHERE kind = 'verify'`,
  )
  return rows.map(({ reason }) => reason)
}

/** A document as another life of this database wrote it. */
const writeAt = (id: number, version: bigint) =>
  world.search.request('PUT', `/${world.index}/_doc/${id}?version=${version}&version_type=external_gte`, {
    id,
    name: 'x',
  })

describe('a version in an index', () => {
  test('that this database drew is no news, however often its sequence was moved up', async () => {
    for (let id = 1; id <= 3; id++) {
      await raiseVersionFloor(world.database.pool, SCHEMA)
      await world.change(id, 'ours')
      await runBatch(world.context, world.request)
    }
    expect(await lookForVersions()).toEqual([])
  })

  test('that the sequence skipped when the database came back with older data asks for a verify, once', async () => {
    // As a cold copy finds it: written by the original after the copy was taken, below the clock of now.
    const lost = (await currentVersion(world.database.pool, SCHEMA)) + 1_000n
    await writeAt(10, lost)
    await raiseVersionFloor(world.database.pool, SCHEMA)
    await world.change(11, 'of the copy')
    await runBatch(world.context, world.request)
    expect(await lookForVersions()).toEqual([
      expect.stringContaining(`version ${lost}, which this database has never drawn`),
    ])
    await world.database.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
    expect(await lookForVersions()).toEqual([])
  })

  test('above the sequence asks for a verify without a conflict, and the sequence is moved past it', async () => {
    const foreign = (await currentVersion(world.database.pool, SCHEMA)) + 10_000_000_000n
    await writeAt(20, foreign)
    expect(await lookForVersions()).toEqual([expect.stringContaining(String(foreign))])
    expect((await currentVersion(world.database.pool, SCHEMA)) > foreign).toBe(true)
    // What the other one writes later is found as well.
    await writeAt(21, foreign + 5_000_000_000n)
    await world.database.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
    expect(await lookForVersions()).toHaveLength(1)
    await world.search.request('DELETE', `/${world.index}/_doc/20`)
    await world.search.request('DELETE', `/${world.index}/_doc/21`)
  })
})

test('a sequence that was set back by hand is moved up again before a version of it is used', async () => {
  await world.change(30, 'before')
  await runBatch(world.context, world.request)
  const before = await currentVersion(world.database.pool, SCHEMA)
  await world.database.pool.query(`SELECT setval('"${SCHEMA}".sync_version', 77)`)
  await world.change(30, 'after')
  expect(await runBatch(world.context, world.request)).toMatchObject({
    outcome: 'given-back',
    obstacle: { scope: 'postgres', type: 'versions_set_back' },
  })
  expect((await currentVersion(world.database.pool, SCHEMA)) > before).toBe(true)
  await runBatch(world.context, world.request)
  expect(await world.indexed(30)).toBe('after')
})

describe('a second server', () => {
  let other: PostgresServer
  beforeAll(async () => {
    other = await startPostgres()
    await migrate(other.url, SCHEMA)
  })
  afterAll(() => other?.stop())

  test('of the same timeline that a batch meets half-way makes it give its marks back (invariant 6)', async () => {
    const { pool } = world.context
    const elsewhere = createPool(other.url, { max: 1, applicationName: 'test' })
    let connections = 0
    const mixed = new Proxy(pool, {
      get: (target, property) => {
        const value = Reflect.get(target, property)
        if (property !== 'connect') return typeof value === 'function' ? value.bind(target) : value
        return () => (connections++ === 0 ? target.connect() : elsewhere.connect())
      },
    })
    try {
      await world.change(40, 'one')
      expect(
        await runBatch({ ...world.context, store: postgresStore(mixed, SCHEMA) }, world.request),
      ).toMatchObject({
        outcome: 'given-back',
        obstacle: { scope: 'postgres', type: 'server_changed' },
      })
      expect(await world.pendingKeys()).toBe(1)
    } finally {
      await elsewhere.end()
    }
  })

  test('that is a standby is waited for and named; promoted, it asks for a verify of every document', async () => {
    const primary = createPool(other.url, { max: 1, applicationName: 'test' })
    await rememberIdentity(primary, SCHEMA)
    await primary.query(
      `INSERT INTO "${SCHEMA}".sync_document (name, hash, definition, plan) VALUES ('thing', 'h', '{}', '{}')`,
    )
    await primary.end()
    const standby = await startStandby(other)
    const pool = createPool(standby.url, { max: 2, applicationName: 'test' })
    try {
      const reasons: string[] = []
      const settings = { postgres: standby.url, schema: SCHEMA } as Parameters<
        typeof joinDatabase
      >[0]['settings']
      const joined = joinDatabase({ settings, pool, log }, new AbortController().signal, (reason) =>
        reasons.push(reason),
      )
      await eventually(() => expect(reasons.join()).toMatch(/is a standby.*Promote it/))
      await promote(standby)
      expect(await joined).toMatchObject({ timeline: '00000002' })
      const { rows } = await pool.query(`SELECT document, reason FROM "${SCHEMA}".sync_run`)
      expect(rows).toEqual([
        { document: 'thing', reason: expect.stringMatching(/another server or timeline/) },
      ])
    } finally {
      await pool.end()
      await standby.stop()
    }
  })
})
