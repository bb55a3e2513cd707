import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { TimeoutError } from '../../src/errors.ts'
import { giveBack } from '../../src/queue/give-back.ts'
import { isSynced, makeSyncToken, readDeadOf } from '../../src/queue/sync-token.ts'
import { waitUntilSynced } from '../../src/queue/wait-until-synced.ts'
import type { QueueDatabase } from './queue-fixture.ts'
import { tokens, tokensDatabase } from './tokens-world.ts'

/** sync_token() and is_synced(): no yes before the change is answered. */

let db: QueueDatabase
let worker: pg.PoolClient
const { begin, end, token, synced, change, claim, answer, noise } = tokens(
  () => db,
  () => worker,
)

beforeAll(async () => {
  db = await tokensDatabase()
})
afterAll(() => db.drop())
beforeEach(async () => {
  worker = await begin()
})
afterEach(end)

describe('a token', () => {
  test('is of what is committed: without marks it is synced at once', async () => {
    const of = await token()
    await noise()
    expect(await synced(of)).toBe(true)
  })

  test('of a change is synced when its batch is settled, and not while it is only claimed', async () => {
    const of = await change(['1'])
    await noise()
    expect(await synced(of)).toBe(false)
    await claim()
    expect(await synced(of)).toBe(false)
    await giveBack(worker)
    expect(await synced(of)).toBe(false)
    await answer()
    expect(await synced(of)).toBe(true)
  })

  test('may ask for one document', async () => {
    const of = await change(['1'])
    expect(await synced(of, 'country')).toBe(true)
    expect(await synced(of, 'city')).toBe(false)
  })

  test('made in the writing transaction waits for its commit, savepoints and all', async () => {
    const app = await db.pool.connect()
    try {
      await app.query('BEGIN')
      await app.query('SAVEPOINT one')
      const { rows } = await app.query<{ token: string }>(
        `INSERT INTO ${db.s}.sync_queue (document, lane, keys, op) VALUES ('city', 0, '{1}', 'update')
         RETURNING ${db.s}.sync_token() AS token`,
      )
      await app.query('RELEASE one')
      const of = rows[0]?.token ?? ''
      // Others begin and end meanwhile, and transaction ids go on.
      await noise()
      expect(await synced(of)).toBe(false)
      expect(await isSynced(app, db.schema, { token: of, document: null })).toBe(false)
      await app.query('COMMIT')
      expect(await synced(of)).toBe(false)
      await answer()
      expect(await synced(of)).toBe(true)
    } finally {
      app.release()
    }
  })

  test('of a transaction that was rolled back waits for nothing', async () => {
    const app = await db.pool.connect()
    try {
      await app.query('BEGIN')
      await app.query(`SELECT pg_current_xact_id()`)
      const of = await makeSyncToken(app, db.schema)
      expect(await synced(of)).toBe(false)
      await app.query('ROLLBACK')
      expect(await synced(of)).toBe(true)
    } finally {
      app.release()
    }
  })

  test('gets no yes from a snapshot that is older than the change', async () => {
    const writer = await db.pool.connect()
    const reader = await db.pool.connect()
    try {
      // In progress, with a smaller id than one that has ended: the snapshot's xmax is above it.
      await writer.query('BEGIN')
      await writer.query(
        `INSERT INTO ${db.s}.sync_queue (document, lane, keys, op) VALUES ('city', 0, '{1}', 'update')`,
      )
      await noise()
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
      await reader.query('SELECT 1 FROM pg_class LIMIT 1')
      await writer.query('COMMIT')
      const of = await token()
      expect(await isSynced(reader, db.schema, { token: of, document: 'city' })).toBe(false)
      await reader.query('COMMIT')
      await answer()
      expect(await isSynced(reader, db.schema, { token: of, document: 'city' })).toBe(true)
    } finally {
      writer.release(true)
      reader.release(true)
    }
  })

  test.each([
    ['', 'is no token'],
    ['once upon a time', '"once upon a time" is no token of sync_token()'],
    ["'; DROP TABLE sync_queue; --", 'is no token'],
  ])('%s is refused', async (text, message) => {
    await expect(synced(text)).rejects.toThrow(message)
  })

  test('of another server, timeline or database is refused', async () => {
    const parts = (await token()).split('-')
    const others = [
      ['7000000000000000001', parts[1]],
      [parts[0], '000000FF'],
      [parts[0], parts[1], '1'],
    ]
    for (const other of others) {
      const of = [...other, ...parts.slice(other.length)].join('-')
      await expect(synced(of)).rejects.toThrow('another server, timeline or database')
    }
  })

  test('of a document that is not there is refused', async () => {
    await expect(synced(await token(), 'town')).rejects.toThrow('sluice has no document "town"')
  })
})

test('a wait that takes too long says what is missing and what to do', async () => {
  const of = await change(['1', '2'])
  const waited = waitUntilSynced(db.pool, db.schema, { token: of, document: null, timeoutMs: 30 })
  await expect(waited).rejects.toThrow('not synced within 30 ms: city: 2 keys wait')
  const error = await waited.catch((e: unknown) => e)
  expect(error).toBeInstanceOf(TimeoutError)
  expect(error).toMatchObject({ pending: ['city'], remedy: 'No daemon works on city: sluice run' })
})

test('a role with two grants may ask, sees no table of ours, and cannot divert a function', async () => {
  const role = `app_${db.url.split('_').at(-1)}`
  const url = Object.assign(new URL(db.url), { username: role, password: 'x' }).href
  await db.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
  const app = new pg.Pool({ connectionString: url, max: 1 })
  try {
    const of = await change(['1'])
    const ask = () => isSynced(app, db.schema, { token: of, document: null })
    await db.pool.query(`GRANT USAGE ON SCHEMA ${db.s} TO ${role}`)
    await expect(ask()).rejects.toThrow('permission denied for function is_synced')
    await db.pool.query(
      `GRANT EXECUTE ON FUNCTION ${['sync_token', 'is_synced', 'sync_dead', 'sync_pending'].map((name) => `${db.s}.${name}`).join(', ')} TO ${role}`,
    )
    await app.query('CREATE TEMPORARY TABLE sync_queue (LIKE pg_class)')
    expect(await ask()).toBe(false)
    expect(await makeSyncToken(app, db.schema)).toMatch(/^\d+-/)
    expect(await readDeadOf(app, db.schema, { token: of, document: null })).toEqual([])
    await expect(app.query(`SELECT FROM ${db.s}.sync_queue`)).rejects.toThrow('permission denied for table')
    await answer()
    expect(await ask()).toBe(true)
  } finally {
    await app.end()
    await db.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  }
})
