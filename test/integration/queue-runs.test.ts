import type { QueryResultRow } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { inTransaction } from '../../src/postgres/transaction.ts'
import type { Queryable } from '../../src/postgres/types.ts'
import { giveBack } from '../../src/queue/give-back.ts'
import { heartbeat } from '../../src/queue/heartbeat.ts'
import { REWRITE, requestRun } from '../../src/queue/request-run.ts'
import { requestVerifyOfAll } from '../../src/queue/request-verify-of-all.ts'
import { waitForOlderClaims } from '../../src/queue/wait-for-older-claims.ts'
import { claimOn, type QueueDatabase, queueDatabase } from './queue-fixture.ts'

let db: QueueDatabase
beforeAll(async () => {
  db = await queueDatabase()
  await db.addDocument('city')
  await db.addDocument('country')
})
afterAll(() => db.drop())
beforeEach(() => db.pool.query(`TRUNCATE ${db.s}.sync_run, ${db.s}.sync_queue`))

const runs = () =>
  db.rows(`SELECT kind, document, state, reason, requested_by, origin::text, verify_after::text, options
             FROM ${db.s}.sync_run ORDER BY id`)

describe('a run', () => {
  test('is requested with what is to be done, why and by whom', async () => {
    const { existing } = await requestRun(db.pool, db.schema, {
      kind: 'backfill',
      document: 'city',
      options: { since: '2 hours' },
      reason: 'because',
      requestedBy: 'ann',
      origin: '12',
    })
    expect(existing).toBe(false)
    expect(await runs()).toMatchObject([
      {
        kind: 'backfill',
        reason: 'because',
        requested_by: 'ann',
        origin: '12',
        options: { since: '2 hours' },
      },
    ])
  })

  test('is active once for a document: of many requests at once, one wins and the others learn its id', async () => {
    const request = () => requestRun(db.pool, db.schema, { kind: 'backfill', document: 'city' })
    const answers = await Promise.all([1, 2, 3, 4, 5].map(request))
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
    expect(answers.filter(({ existing }) => !existing)).toHaveLength(1)
    expect(await runs()).toMatchObject([{ verify_after: null }])
    await db.pool.query(`UPDATE ${db.s}.sync_run SET state = 'done', finished_at = now()`)
    expect((await request()).existing).toBe(false)
  })

  test('knows whether a TRUNCATE asked for it, or for the verify that follows it', async () => {
    const verify = (truncated: boolean) =>
      requestRun(db.pool, db.schema, {
        kind: 'verify',
        options: REWRITE,
        document: 'city',
        truncated,
        onActive: 'verify-after',
      })
    const truncated = async () =>
      (await db.rows(`SELECT truncated AS now, verify_after_truncated AS later FROM ${db.s}.sync_run`))[0]
    await verify(false)
    expect(await truncated()).toEqual({ now: false, later: false })
    await verify(true)
    expect(await truncated()).toEqual({ now: true, later: false })
    await db.pool.query(`UPDATE ${db.s}.sync_run SET state = 'running', truncated = false`)
    await verify(false)
    expect(await truncated()).toEqual({ now: false, later: false })
    await verify(true)
    await verify(false)
    expect(await truncated()).toEqual({ now: false, later: true })
  })

  test('under way is followed by the verify that was asked for, from the oldest of the requests', async () => {
    await requestRun(db.pool, db.schema, { kind: 'backfill', document: 'city' })
    for (const origin of ['70', '50', '60']) {
      const verify = { kind: 'verify', document: 'city', origin, onActive: 'verify-after' } as const
      expect((await requestRun(db.pool, db.schema, verify)).existing).toBe(true)
    }
    expect(await runs()).toMatchObject([{ kind: 'backfill', verify_after: '50' }])
  })

  test('that is a verify not begun yet needs no other after it; one that is running does', async () => {
    const verify = { kind: 'verify', options: REWRITE, document: 'city', onActive: 'verify-after' } as const
    await requestRun(db.pool, db.schema, verify)
    await requestRun(db.pool, db.schema, { ...verify, origin: '50' })
    await requestRun(db.pool, db.schema, { ...verify, origin: '60' })
    expect(await runs()).toMatchObject([{ verify_after: null, origin: '50' }])
    await db.pool.query(`UPDATE ${db.s}.sync_run SET state = 'running'`)
    await requestRun(db.pool, db.schema, verify)
    expect(await runs()).toMatchObject([{ verify_after: expect.any(String) }])
  })

  test('that is a verify a user asked for is followed by one that puts everything right', async () => {
    await requestRun(db.pool, db.schema, { kind: 'verify', document: 'city' })
    await requestRun(db.pool, db.schema, {
      kind: 'verify',
      options: REWRITE,
      document: 'city',
      onActive: 'verify-after',
    })
    expect(await runs()).toMatchObject([{ verify_after: expect.any(String) }])
  })

  test('of an unknown document is refused', async () => {
    const request = requestRun(db.pool, db.schema, { kind: 'verify', document: 'nope' })
    await expect(request).rejects.toBeInstanceOf(UsageError)
  })

  test('asked for in a claim goes with it', async () => {
    await inTransaction(db.pool, async (client) => {
      await requestRun(client, db.schema, { kind: 'verify', document: 'city' })
      throw new Error('given back')
    }).catch(() => undefined)
    expect(await runs()).toEqual([])
  })

  test('a verify of all reaches every document once', async () => {
    await requestRun(db.pool, db.schema, { kind: 'backfill', document: 'city' })
    expect(await requestVerifyOfAll(db.pool, db.schema, 'failover')).toBe(2)
    expect(await runs()).toMatchObject([
      { kind: 'backfill', document: 'city', verify_after: expect.any(String) },
      { kind: 'verify', document: 'country', requested_by: 'sluice', reason: 'failover' },
    ])
  })
})

describe('waiting for older claims', () => {
  const mark = () =>
    db.pool.query(
      `INSERT INTO ${db.s}.sync_queue (document, lane, op, keys) VALUES ('city', 0, 'update', '{1}')`,
    )

  test('waits for those open now, and for none that begins later, also on the same connection', async () => {
    const [old, late] = [await db.pool.connect(), await db.pool.connect()]
    try {
      await mark()
      await mark()
      await claimOn(old, db.schema, 'city', 1)
      let waited = false
      const looked = Promise.withResolvers<void>()
      const watched: Queryable = {
        query: async <Row extends QueryResultRow>(text: string, values: readonly unknown[] = []) => {
          const result = await db.pool.query<Row>(text, [...values])
          looked.resolve()
          return result
        },
      }
      const waiting = waitForOlderClaims(watched, db.schema, { timeoutMs: 30_000 }).then(() => {
        waited = true
      })
      await looked.promise
      await claimOn(late, db.schema, 'city', 1)
      expect(waited).toBe(false)
      await giveBack(old)
      await claimOn(old, db.schema, 'city', 1)
      await waiting
    } finally {
      for (const client of [old, late]) {
        await giveBack(client)
        client.release()
      }
    }
  })

  test('gives up after its time, naming the backend', async () => {
    const stuck = await db.pool.connect()
    try {
      await mark()
      await claimOn(stuck, db.schema, 'city')
      const { rows } = await stuck.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      await expect(waitForOlderClaims(db.pool, db.schema, { timeoutMs: 30 })).rejects.toMatchObject({
        code: 'failed',
        remedy: expect.stringContaining(String(rows[0]?.pid)),
      })
    } finally {
      await giveBack(stuck)
      stuck.release()
    }
  })

  test('does not wait for the claims of another schema', async () => {
    const client = await db.pool.connect()
    try {
      await mark()
      await claimOn(client, db.schema, 'city')
      await waitForOlderClaims(db.pool, 'another', { timeoutMs: 0 })
    } finally {
      await giveBack(client)
      client.release()
    }
  })
})

test('a heartbeat keeps the life of a process, and begins a new one for the next', async () => {
  const beat = {
    instance: 'i',
    host: 'h',
    pid: 1,
    version: '1',
    state: 'running',
    reason: null,
    forMs: 1_000,
    documents: { city: 'hash' },
    schedules: {},
    pauses: [{ document: 'city', index: null, type: 'unreachable', reason: 'why', forMs: 60_000 }],
  } as const
  const since = async () =>
    (await db.rows<{ started: string }>(`SELECT started_at::text AS started FROM ${db.s}.sync_worker`))[0]
      ?.started
  await heartbeat(db.pool, db.schema, beat)
  const first = await since()
  await heartbeat(db.pool, db.schema, { ...beat, state: 'waiting', reason: 'Elasticsearch', forMs: 10_000 })
  expect(await since()).toBe(first)
  expect(
    await db.rows(
      `SELECT instance, alive, state, reason, (extract(epoch FROM seen_at - since) * 10)::integer AS tenths, documents, pauses FROM ${db.s}.sync_workers`,
    ),
  ).toEqual([
    {
      instance: 'i',
      alive: true,
      state: 'waiting',
      reason: 'Elasticsearch',
      tenths: 100,
      documents: beat.documents,
      pauses: [
        {
          document: 'city',
          index: null,
          type: 'unreachable',
          reason: 'why',
          since: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        },
      ],
    },
  ])
  await heartbeat(db.pool, db.schema, { ...beat, pid: 2 })
  expect(await since()).not.toBe(first)
})
