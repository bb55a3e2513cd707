import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { discardFailed, retryFailed } from '../../src/queue/change-failures.ts'
import { giveBack } from '../../src/queue/give-back.ts'
import { requeueDueFailures } from '../../src/queue/requeue-due-failures.ts'
import { settleBatch } from '../../src/queue/settle-batch.ts'
import { eventually } from '../support/context.ts'
import { claimOn, failure, type QueueDatabase, queueDatabase, settlement } from './queue-fixture.ts'

let db: QueueDatabase
beforeAll(async () => {
  db = await queueDatabase()
  await db.addDocument('city')
  await db.addDocument('country')
  await db.pool.query(`INSERT INTO ${db.s}.sync_index (name, document, alias, uuid, role, hash)
    VALUES ('cities-1', 'city', 'cities', 'u', 'live', 'h'), ('cities-0', 'city', 'cities', 'u', 'retired', 'h')`)
})
afterAll(() => db.drop())
beforeEach(async () => {
  await db.pool.query(`TRUNCATE ${db.s}.sync_queue, ${db.s}.sync_failed`)
  await fail('city', '1', { origin: '11' })
  await fail('city', '2', { origin: '12', type: 'other' })
  await fail('city', '3', { origin: '13', state: 'retrying' })
  await fail('country', 'a', { origin: '14', target: '' })
})

interface Given {
  readonly origin?: string
  readonly type?: string
  readonly state?: 'dead' | 'retrying'
  readonly target?: string
}

async function fail(document: string, key: string, given: Given): Promise<void> {
  const { origin = '10', type = 'mapper', state = 'dead', target = 'cities-1' } = given
  await db.pool.query(
    `INSERT INTO ${db.s}.sync_failed (document, key, target, id, version, state, attempts, due_at, type, reason, origin)
     VALUES ($1, $2, $3, $2, 50, $4, 3, CASE WHEN $4 = 'retrying' THEN now() + interval '5 minutes' END, $5, 'r', $6::xid8)`,
    [document, key, target, state, type, origin],
  )
}

/** Calls a function of ours with arguments as an operator would type them. */
async function call(text: string): Promise<number> {
  const [row] = await db.rows<{ n: number }>(`SELECT ${db.s}.${text}::integer AS n`)
  return row?.n ?? -1
}

const queued = () =>
  db.rows(
    `SELECT document, lane, keys, op, origin::text, target FROM ${db.s}.sync_queue ORDER BY document, keys, target`,
  )
const failures = () =>
  db.rows<{ key: string; target: string; state: string; attempts: number }>(
    `SELECT key, target, state, attempts FROM ${db.s}.sync_failed ORDER BY document, key, target`,
  )
const keysLeft = async () => (await failures()).map(({ key }) => key)

describe('retry_failed', () => {
  test('marks dead and retrying keys again, with their origin, for their index, and fresh attempts', async () => {
    expect(await call("retry_failed('city')")).toBe(3)
    const mark = { document: 'city', lane: 0, op: 'retry', target: 'cities-1' }
    expect(await queued()).toEqual([
      { ...mark, keys: ['1'], origin: '11' },
      { ...mark, keys: ['2'], origin: '12' },
      { ...mark, keys: ['3'], origin: '13' },
    ])
    expect(await failures()).toEqual([
      ...['1', '2', '3'].map((key) => ({ key, target: 'cities-1', state: 'retrying', attempts: 0 })),
      { key: 'a', target: '', state: 'dead', attempts: 3 },
    ])
    // The mark is there already: no daemon writes a second one.
    expect(await requeueDueFailures(db.pool, db.schema, ['city'])).toBe(0)
  })

  test.each([
    ['retry_failed()', 4, ['1', '2', '3', 'a']],
    ["retry_failed('city', '1', '3', 'nothing')", 2, ['1', '3']],
    ["retry_failed('city', VARIADIC '{2,3}')", 2, ['2', '3']],
    ["retry_failed('city', VARIADIC ARRAY['1', '2'])", 2, ['1', '2']],
    ["retry_failed(document => 'city', keys => NULL, type => 'other')", 1, ['2']],
    ["retry_failed(document => NULL, keys => NULL, type => 'mapper')", 3, ['1', '3', 'a']],
    ["retry_failed(NULL, ARRAY['1', 'a'], 'mapper')", 2, ['1', 'a']],
    // A query that finds nothing must not mean everything.
    ["retry_failed('city', VARIADIC ARRAY(SELECT 'x' WHERE false))", 0, []],
  ])('%s retries %i', async (text, count, keys) => {
    expect(await call(text)).toBe(count)
    const marked = await db.rows<{ key: string }>(
      `SELECT unnest(keys) AS key FROM ${db.s}.sync_queue ORDER BY key`,
    )
    expect(marked.map(({ key }) => key)).toEqual(keys)
  })

  test('tries a key anew whose index is no longer written to, and forgets that failure', async () => {
    await fail('city', '1', { origin: '9', target: 'cities-0' })
    await fail('city', '8', { origin: '8', target: 'cities-vanished' })
    expect(await call("retry_failed('city', '1', '8')")).toBe(2)
    expect(await queued()).toMatchObject([
      { keys: ['1'], target: 'cities-1', origin: '11' },
      { keys: ['1'], target: null, origin: '9' },
      { keys: ['8'], target: null, origin: '8' },
    ])
    expect((await failures()).map(({ key, target }) => `${key} ${target}`)).toEqual([
      '1 cities-1',
      '2 cities-1',
      '3 cities-1',
      'a ',
    ])
  })

  test('puts more than a hundred of a document into the bulk lane, 500 to a mark', async () => {
    await db.pool.query(
      `INSERT INTO ${db.s}.sync_failed (document, key, target, id, version, state, attempts, type, reason, origin)
       SELECT 'country', n::text, '', n::text, 1, 'dead', 1, 't', 'r', '20' FROM generate_series(1, 1001) n`,
    )
    expect(await retryFailed(db.pool, db.schema, { document: 'country', keys: null, type: 't' })).toBe(1001)
    const marks = await db.rows(
      `SELECT lane, cardinality(keys) AS keys FROM ${db.s}.sync_queue ORDER BY cardinality(keys)`,
    )
    expect(marks).toEqual([1, 500, 500].map((keys) => ({ lane: 1, keys })))
  })

  test('counts attempts from the beginning, and is forgotten by a success', async () => {
    await call("retry_failed('city', '1', '2')")
    const client = await db.pool.connect()
    await claimOn(client, db.schema, 'city')
    await settleBatch(
      client,
      db.schema,
      settlement({ version: 60n, failures: [failure('1')], succeeded: new Map([['cities-1', ['2']]]) }),
      { worker: 'w', maxRetries: 5 },
    )
    client.release()
    expect((await failures()).slice(0, 2)).toMatchObject([
      { key: '1', state: 'retrying', attempts: 1 },
      { key: '3', attempts: 3 },
    ])
  })

  test('waits for a settlement of that document under way, and sees what it wrote', async () => {
    const client = await db.pool.connect()
    try {
      await client.query(
        `BEGIN; SELECT ${db.s}.lock_failures('city'); DELETE FROM ${db.s}.sync_failed WHERE key = '1'`,
      )
      const retried = call("retry_failed('city')")
      await eventually(async () => {
        const [row] = await db.rows<{ waiting: number }>(
          `SELECT count(*)::integer AS waiting FROM pg_locks WHERE NOT granted AND locktype = 'advisory'
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        )
        expect(row?.waiting).toBe(1)
      })
      await client.query('COMMIT')
      expect(await retried).toBe(2)
    } finally {
      await giveBack(client)
      client.release()
    }
  })
})

describe('discard_failed', () => {
  test.each([
    ['discard_failed(NULL)', 3, ['3']],
    ["discard_failed('city')", 2, ['3', 'a']],
    ["discard_failed('city', '2', '3')", 1, ['1', '3', 'a']],
    ["discard_failed(document => 'city', keys => NULL, type => 'other')", 1, ['1', '3', 'a']],
    ["discard_failed(NULL, VARIADIC '{}')", 0, ['1', '2', '3', 'a']],
  ])('%s forgets %i dead letters, none that is still being retried', async (text, count, left) => {
    expect(await call(text)).toBe(count)
    expect(await keysLeft()).toEqual(left)
    expect(await queued()).toEqual([])
  })

  test('from the program', async () => {
    expect(await discardFailed(db.pool, db.schema, { document: 'city', keys: ['1'], type: null })).toBe(1)
    expect(await keysLeft()).toEqual(['2', '3', 'a'])
  })
})

test.each(['retry_failed', 'discard_failed'])('%s refuses what it does not know', async (name) => {
  await expect(call(`${name}('town')`)).rejects.toThrow('sluice has no document "town"')
  await expect(call(`${name}('city', '1', NULL)`)).rejects.toThrow('a key cannot be null')
})

test('sync_failures groups them by document, type and reason', async () => {
  const rows = await db.rows(
    `SELECT document, type, reason, failures, retrying, dead, first_failed_at <= last_failed_at AS ordered
       FROM ${db.s}.sync_failures ORDER BY document, type`,
  )
  expect(rows).toEqual([
    { document: 'city', type: 'mapper', reason: 'r', failures: '2', retrying: '1', dead: '1', ordered: true },
    { document: 'city', type: 'other', reason: 'r', failures: '1', retrying: '0', dead: '1', ordered: true },
    {
      document: 'country',
      type: 'mapper',
      reason: 'r',
      failures: '1',
      retrying: '0',
      dead: '1',
      ordered: true,
    },
  ])
})
