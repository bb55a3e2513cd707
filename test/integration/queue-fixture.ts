import pg, { escapeIdentifier, type QueryResultRow } from 'pg'
import { createPool } from '../../src/postgres/connect.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { claimMarks } from '../../src/queue/claim-marks.ts'
import type { Claim, Failure, Lane, Settlement } from '../../src/queue/types.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

/** A fresh database with our schema, under a name that needs quoting wherever it is used. */
export interface QueueDatabase extends TestDatabase {
  readonly schema: string
  /** `${s}.sync_queue` is our table. */
  readonly s: string
  rows<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>
  addDocument(name: string): Promise<void>
}

export async function queueDatabase(): Promise<QueueDatabase> {
  const database = await testDatabase()
  const schema = 'Our Sluice'
  const s = escapeIdentifier(schema)
  await migrate(database.url, schema)
  await database.pool.end()
  const pool = createPool(database.url, { max: 10, applicationName: 'sluice test' })
  return {
    ...database,
    pool,
    schema,
    s,
    rows: async (text, values = []) => (await pool.query(text, [...values])).rows,
    addDocument: async (name) => {
      await pool.query(
        `INSERT INTO ${s}.sync_document (name, hash, definition, plan) VALUES ($1, 'h', '{}', '{}')`,
        [name],
      )
    },
    drop: async () => {
      await pool.end()
      await dropDatabase(database.url)
    },
  }
}

async function dropDatabase(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1)
  const client = new pg.Client(Object.assign(new URL(url), { pathname: '/postgres' }).href)
  await client.connect()
  await client.query(`DROP DATABASE ${escapeIdentifier(name)} WITH (FORCE)`)
  await client.end()
}

/** A claim of the document's interactive lane, unless said otherwise. */
export function claimOn(
  client: pg.PoolClient,
  schema: string,
  document: string,
  maxKeys = 1000,
  lane: Lane = 0,
): Promise<Claim | null> {
  return claimMarks(client, schema, { document, lane, maxKeys, idleTimeoutMs: 60_000 })
}

/** Keys of a claim, in its order. */
export function keysOf(claim: Claim | null): string[] {
  return claim?.marks.flatMap((mark) => mark.keys ?? []) ?? []
}

export function settlement(change: Partial<Settlement>): Settlement {
  return {
    document: 'city',
    lane: 0,
    version: 100n,
    succeeded: new Map(),
    failures: [],
    givenBack: [],
    parked: [],
    runs: [],
    log: [],
    lagCounts: [],
    batches: 0,
    ...change,
  }
}

export function failure(key: string, change: Partial<Failure> = {}): Failure {
  return {
    key,
    id: key,
    target: 'cities-1',
    origin: '10',
    op: 'update',
    type: 'some_error',
    reason: 'why',
    dead: false,
    ...change,
  }
}
