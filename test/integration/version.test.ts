import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPool } from '../../src/postgres/connect.ts'
import { readIdentity, rememberIdentity } from '../../src/postgres/identity.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { inTransaction } from '../../src/postgres/transaction.ts'
import { currentVersion, drawVersion, raiseVersionFloor } from '../../src/postgres/version.ts'
import { eventually } from '../support/context.ts'
import { type PostgresServer, startPostgres } from '../support/servers/index.ts'
import { type QueueDatabase, queueDatabase } from './queue-fixture.ts'

describe('versions', () => {
  let db: QueueDatabase
  beforeAll(async () => {
    db = await queueDatabase()
  })
  afterAll(() => db.drop())

  test('are distinct and rising for every client, and name the server', async () => {
    const draws = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const mine: bigint[] = []
        for (let n = 0; n < 25; n++) mine.push((await drawVersion(db.pool, db.schema)).version)
        return mine
      }),
    )
    expect(new Set(draws.flat()).size).toBe(200)
    for (const mine of draws) expect(mine).toEqual([...mine].sort((a, b) => (a < b ? -1 : 1)))
    expect((await drawVersion(db.pool, db.schema)).server).toMatch(/^[0-9A-F]{8}@\d+\.\d{6}$/)
  })

  test('are refused inside an open transaction, where they would not be durable', async () => {
    const draw = inTransaction(db.pool, (client) => drawVersion(client, db.schema))
    await expect(draw).rejects.toThrow('inside a transaction')
  })

  test('continue above the clock when the sequence was set back (dump, restore, cold copy)', async () => {
    const before = await currentVersion(db.pool, db.schema)
    await db.pool.query(`SELECT setval('${db.s}.sync_version', 2)`)
    await raiseVersionFloor(db.pool, db.schema)
    const { version } = await drawVersion(db.pool, db.schema)
    expect(version > before).toBe(true)
    const [clock] = await db.rows<{ us: string }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint AS us',
    )
    expect(BigInt(clock?.us ?? 0) - version < 60_000_000n).toBe(true)
  })

  test('leap past a number that Elasticsearch has, and never go back', async () => {
    const far = (await currentVersion(db.pool, db.schema)) + 10n ** 12n
    expect(await raiseVersionFloor(db.pool, db.schema, far)).toBe(far)
    expect(await raiseVersionFloor(db.pool, db.schema, 5n)).toBe(far)
    expect((await drawVersion(db.pool, db.schema)).version).toBe(far + 1n)
  })

  test('are handed out once only while the floor is raised by several', async () => {
    const drawn = new Set<bigint>()
    await Promise.all(
      Array.from({ length: 6 }, async (_, worker) => {
        for (let n = 0; n < 20; n++) {
          if (worker < 2)
            await raiseVersionFloor(db.pool, db.schema, await currentVersion(db.pool, db.schema))
          else drawn.add((await drawVersion(db.pool, db.schema)).version)
        }
      }),
    )
    expect(drawn.size).toBe(80)
  })

  test('raise their floor one after the other: reading the sequence and setting it are two steps', async () => {
    const first = await db.pool.connect()
    let second: Promise<bigint>
    try {
      await first.query('BEGIN')
      await raiseVersionFloor(first, db.schema)
      second = raiseVersionFloor(db.pool, db.schema)
      await eventually(async () =>
        expect(
          await db.rows(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`),
        ).toHaveLength(1),
      )
    } finally {
      await first.query('COMMIT')
      first.release()
    }
    expect((await second) > 0n).toBe(true)
  })

  test('the server is remembered, and a changed timeline noticed once', async () => {
    expect(await rememberIdentity(db.pool, db.schema)).toBe('first')
    expect(await rememberIdentity(db.pool, db.schema)).toBe('same')
    await db.pool.query(`UPDATE ${db.s}.sync_identity SET timeline = 'FFFFFFFF'`)
    const seen = await Promise.all([1, 2, 3, 4].map(() => rememberIdentity(db.pool, db.schema)))
    expect(seen.sort()).toEqual(['changed', 'same', 'same', 'same'])
    expect((await readIdentity(db.pool)).systemIdentifier).toMatch(/^\d+$/)
  })
})

/**
 * Invariant 4. The server crashes right after versions were handed out. wal_writer_delay keeps the background writer
 * from flushing by chance what nobody asked to be flushed: the two orders that are wrong are shown to be wrong here,
 * so that the right one proves something.
 */
describe('a crash of Postgres', () => {
  let server: PostgresServer
  let pool: pg.Pool
  let other: pg.Client
  beforeEach(async () => {
    server = await startPostgres({ settings: { wal_writer_delay: '10s', autovacuum: 'off' } })
    await migrate(server.url, 'sluice')
    pool = createPool(server.url, { max: 2, applicationName: 'sluice test' })
    other = new pg.Client(server.url)
    other.on('error', () => {})
    await other.connect()
    // The sequence as a checkpoint left it: the next draw writes WAL for 32 numbers.
    await other.query('CHECKPOINT')
  })
  afterEach(async () => {
    await pool.end()
    await other.end().catch(() => undefined)
    await server.stop()
  })

  const naive = async (db: pg.Pool | pg.Client): Promise<bigint> => {
    const { rows } = await db.query<{ v: string }>("SELECT nextval('sluice.sync_version')::text AS v")
    return BigInt(rows[0]?.v ?? 0)
  }
  /** The highest, for they rise. */
  const last = (drawn: readonly bigint[]) => drawn.at(-1) ?? 0n

  test('never makes drawVersion repeat itself, whoever wrote the sequence to the log', async () => {
    // An open transaction draws first, so that its WAL record covers the numbers of those who draw after it.
    await other.query('BEGIN')
    const drawn = [await naive(other)]
    for (let n = 0; n < 20; n++) drawn.push((await drawVersion(pool, 'sluice')).version)
    await server.crash()
    expect((await drawVersion(pool, 'sluice')).version > last(drawn)).toBe(true)
  })

  test('makes a number drawn in an open transaction appear again', async () => {
    await other.query('BEGIN')
    const drawn: bigint[] = []
    for (let n = 0; n < 40; n++) drawn.push(await naive(other))
    await server.crash()
    expect((await naive(pool)) <= last(drawn)).toBe(true)
  })

  test('makes a number drawn by a bare nextval appear again, though its transaction had committed', async () => {
    await other.query('BEGIN')
    await naive(other)
    const drawn = [await naive(pool), await naive(pool)]
    await server.crash()
    expect((await naive(pool)) <= last(drawn)).toBe(true)
  })
})
