import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { isConnectionError, sqlState } from '../../src/postgres/connect.ts'
import { watchBacklog } from './backlog.ts'
import { type Kind, KindCounts, kindsOf } from './kinds.ts'
import { Lives } from './lives.ts'
import type { Random } from './random.ts'
import { rareStatement, statement } from './statements.ts'
import type { Statement } from './tables.ts'

/** The application: several clients, each with one transaction after the other, that live on when Postgres dies. */
export interface Workload {
  readonly transactions: number
  /** What was committed. */
  readonly kinds: KindCounts
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

/** What is rare among the others' statements comes by the clock as well: the first two, and from each to the next, milliseconds. */
const FIRST_RARE = [2_000, 5_000] as const
const NEXT_RARE = [15_000, 30_000] as const

/** Conflicts with other transactions: unique key, serialization, deadlock, a lock not got in time. */
export const ordinary = new Set(['23505', '40001', '40P01', '55P03'])

/** Whether the application would have had this error without sluice as well: a deadlock over what our triggers lock is ours. */
function isOrdinary(error: unknown): boolean {
  if (isConnectionError(error)) return true
  const state = sqlState(error)
  if (state === undefined || !ordinary.has(state)) return false
  const { where = '', detail = '' } = error as pg.DatabaseError
  return !/sluice|advisory/.test(`${where} ${detail}`)
}

interface WorkloadOptions {
  /** Whether tables are truncated, now and then. */
  readonly truncating: boolean
}

export function startWorkload(url: string, random: Random, { truncating }: WorkloadOptions): Workload {
  const begun = performance.now()
  const stopping = new AbortController()
  const errors = new Map<string, string>()
  const backlog = watchBacklog(url)
  const lives = new Lives(random.fork('lives'), () => performance.now())
  const workload = {
    transactions: 0,
    kinds: new KindCounts(),
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
        const committed =
          change === null
            ? await transaction(connection, choices, conditions)
            : await alone(connection, change, conditions)
        workload.transactions += 1
        workload.kinds.add(committed)
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
    if (isOrdinary(error)) return
    const state = sqlState(error)
    const text = `${state ?? ''} ${error instanceof Error ? error.message : String(error)} (${sql.replaceAll(/\s+/g, ' ')})`
    errors.set(`${state} ${sql}`, text)
  }
  const byTheClock = async (choices: Random): Promise<void> => {
    let due = choices.int(...FIRST_RARE)
    for (let turn = 0; ; ) {
      await delay(due, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
      const change = rareStatement(choices, truncating && turn % 2 === 1)
      let connection: pg.Client | null = null
      try {
        connection = await connect(url)
        const committed = await alone(connection, change, { begun, asynchronous: false, failed })
        workload.kinds.add(committed)
        workload.transactions += 1
        if (committed.length > 0) turn += 1
        due = turn < 2 ? choices.int(...FIRST_RARE) : choices.int(...NEXT_RARE)
      } catch (error) {
        failed(error)
        due = 100
      }
      await connection?.end().catch(() => undefined)
    }
  }
  const ended = Promise.all([
    ...Array.from({ length: CLIENTS }, (_, n) => client(random.fork(`client ${n}`))),
    byTheClock(random.fork('by the clock')),
  ])
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

/** One change in a transaction of its own. Returns what was committed. */
async function alone(
  client: pg.Client,
  { text, values }: Statement,
  { asynchronous, failed }: Conditions,
): Promise<readonly Kind[]> {
  await client.query(begin(asynchronous))
  let done: readonly Kind[] = kindsOf(text)
  try {
    await client.query(text, [...values])
  } catch (error) {
    if (isConnectionError(error)) throw error
    failed(error, text)
    done = []
  }
  await client.query('COMMIT')
  return done
}

/**
 * One to four steps, each perhaps under a savepoint that is perhaps rolled back; then COMMIT, or now and then ROLLBACK.
 * Returns what came to an end by that.
 */
async function transaction(
  client: pg.Client,
  random: Random,
  { begun, asynchronous, failed }: Conditions,
): Promise<readonly Kind[]> {
  await client.query(begin(asynchronous))
  const done: Kind[] = []
  for (let step = random.chance(0.6) ? 1 : random.int(2, 4); step > 0; step--) {
    const survived = await survives(client, statement(random, performance.now() - begun), random, failed)
    if (survived === null) {
      await client.query('ROLLBACK')
      return []
    }
    done.push(...survived)
  }
  const takenBack = random.chance(0.1)
  await client.query(takenBack ? 'ROLLBACK' : 'COMMIT')
  return takenBack ? ['rolledBack'] : done
}

/** What the step came to; null when the transaction is lost. Throws when the connection is. */
async function survives(
  client: pg.Client,
  { text, values }: Statement,
  random: Random,
  failed: Conditions['failed'],
): Promise<readonly Kind[] | null> {
  const savepoint = random.chance(0.3)
  const takenBack = random.chance(0.3)
  if (savepoint) await client.query('SAVEPOINT step')
  try {
    await client.query(text, [...values])
  } catch (error) {
    if (isConnectionError(error)) throw error
    failed(error, text)
    if (!savepoint) return null
    await client.query('ROLLBACK TO SAVEPOINT step')
    return ['savepointRolledBack']
  }
  if (!savepoint) return kindsOf(text)
  await client.query(takenBack ? 'ROLLBACK TO SAVEPOINT step' : 'RELEASE SAVEPOINT step')
  return takenBack ? ['savepointRolledBack'] : [...kindsOf(text), 'savepoint']
}
