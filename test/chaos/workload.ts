import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { isConnectionError, sqlState } from '../../src/postgres/connect.ts'
import { watchBacklog } from './backlog.ts'
import { Lives } from './lives.ts'
import type { Random } from './random.ts'
import { statement } from './statements.ts'
import type { Statement } from './tables.ts'

/** The application: several clients, each with one transaction after the other, that live on when Postgres dies. */
export interface Workload {
  readonly transactions: number
  /** Errors that the application would have without sluice as well never get here: these are ours to explain. */
  readonly errors: readonly string[]
  /** While true, commits do not wait for the disk: a crash takes the last of them back. */
  asynchronous: boolean
  /** Lets the transactions under way end. */
  stop(): Promise<void>
}

const CLIENTS = 8

/** Share of the transactions that change a quiet key. */
const LIVES = 0.8

/** Conflicts with other transactions: unique key, serialization, deadlock, a lock not got in time. */
const ordinary = new Set(['23505', '40001', '40P01', '55P03'])

export function startWorkload(url: string, random: Random): Workload {
  const begun = performance.now()
  const stopping = new AbortController()
  const errors = new Map<string, string>()
  const backlog = watchBacklog(url)
  const lives = new Lives(random.fork('lives'), () => performance.now())
  const workload = {
    transactions: 0,
    asynchronous: false,
    get errors() {
      return [...errors.values()]
    },
    stop: async () => {
      stopping.abort()
      await ended
      await backlog.stop()
    },
  }

  const client = async (choices: Random): Promise<void> => {
    let connection: pg.Client | null = null
    while (!stopping.signal.aborted) {
      try {
        connection ??= await connect(url)
        const conditions = { begun, asynchronous: workload.asynchronous, failed }
        const change = choices.chance(LIVES) ? lives.next() : null
        if (change === null) await transaction(connection, choices, conditions)
        else await alone(connection, change, conditions)
        workload.transactions += 1
      } catch (error) {
        failed(error)
        // Whatever happened, this connection's transaction must not go on.
        await connection?.end().catch(() => undefined)
        connection = null
      }
      await delay(connection === null ? 50 : backlog.long ? choices.int(100, 500) : choices.int(0, 20))
    }
    await connection?.end().catch(() => undefined)
  }
  const failed = (error: unknown, sql = 'BEGIN or COMMIT'): void => {
    const state = sqlState(error)
    if (isConnectionError(error) || (state !== undefined && ordinary.has(state))) return
    const text = `${state ?? ''} ${error instanceof Error ? error.message : String(error)} (${sql.replaceAll(/\s+/g, ' ')})`
    errors.set(`${state} ${sql}`, text)
  }
  const ended = Promise.all(Array.from({ length: CLIENTS }, (_, n) => client(random.fork(`client ${n}`))))
  return workload
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'the application',
    connectionTimeoutMillis: 2_000,
  })
  client.on('error', () => {})
  await client.connect()
  return client
}

interface Conditions {
  readonly begun: number
  readonly asynchronous: boolean
  readonly failed: (error: unknown, sql: string) => void
}

const begin = (asynchronous: boolean) => (asynchronous ? 'BEGIN' : 'BEGIN; SET LOCAL synchronous_commit = on')

/** One change in a transaction of its own. */
async function alone(
  client: pg.Client,
  { text, values }: Statement,
  { asynchronous, failed }: Conditions,
): Promise<void> {
  await client.query(begin(asynchronous))
  try {
    await client.query(text, [...values])
  } catch (error) {
    if (isConnectionError(error)) throw error
    failed(error, text)
  }
  await client.query('COMMIT')
}

/** One to four steps, each perhaps under a savepoint that is perhaps rolled back; then COMMIT, or now and then ROLLBACK. */
async function transaction(
  client: pg.Client,
  random: Random,
  { begun, asynchronous, failed }: Conditions,
): Promise<void> {
  await client.query(begin(asynchronous))
  for (let step = random.chance(0.6) ? 1 : random.int(2, 4); step > 0; step--) {
    if (await survives(client, statement(random, performance.now() - begun), random, failed)) continue
    await client.query('ROLLBACK')
    return
  }
  await client.query(random.chance(0.1) ? 'ROLLBACK' : 'COMMIT')
}

/** False when the transaction is lost; throws when the connection is. */
async function survives(
  client: pg.Client,
  { text, values }: Statement,
  random: Random,
  failed: Conditions['failed'],
): Promise<boolean> {
  const savepoint = random.chance(0.3)
  const takenBack = random.chance(0.3)
  if (savepoint) await client.query('SAVEPOINT step')
  try {
    await client.query(text, [...values])
  } catch (error) {
    if (isConnectionError(error)) throw error
    failed(error, text)
    if (!savepoint) return false
    await client.query('ROLLBACK TO SAVEPOINT step')
    return true
  }
  if (savepoint) await client.query(takenBack ? 'ROLLBACK TO SAVEPOINT step' : 'RELEASE SAVEPOINT step')
  return true
}
