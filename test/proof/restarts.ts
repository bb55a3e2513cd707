import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { percentile } from '../bench/statistics.ts'
import { openArticles } from '../chaos/articles-world.ts'
import type { Random } from '../chaos/random.ts'
import { startSteadyWrites } from '../chaos/steady-writes.ts'
import type { PostgresServer } from '../support/servers/index.ts'
import type { Row } from './row.ts'
import { conclude } from './verdict.ts'

/** Within this a daemon works again, at the 99th percentile. */
const MOST_MS = 5_000

const WRITES_A_SECOND = 100

/** A batch that does not come within this is not waited for. */
const GIVEN_UP_MS = 60_000

/**
 * Postgres is restarted again and again while an application writes and two daemons follow: half of the times by an
 * immediate shutdown, half by SIGKILL of all its processes. Measured is the time from the moment it accepts connections
 * to the settlement of the first batch that began afterwards. That is seen from outside: a row is written as soon as
 * there is a connection, and its mark is gone when the claim that took it is committed.
 */
export const restarts: Row = {
  name: 'restarts',
  about: `--count immediate Postgres restarts under writes: 0 lost, working again within ${MOST_MS / 1000} s at p50 and p99`,
  defaults: { count: 100 },
  run: async ({ count, random, say, closing, program }) => {
    const world = await openArticles({ name: 'restarts', say, closing, program, daemons: 2 })
    const { postgres } = world
    const writes = startSteadyWrites(postgres.url, WRITES_A_SECOND, { mayBeAway: true })
    closing.defer(() => writes.stop())
    const times: number[] = []
    const more: string[] = []
    for (let n = 1; n <= count; n++) {
      const ms = await restartOnce(postgres, n, random)
      if (ms === null) {
        more.push(`restart ${n}: no batch was settled within ${GIVEN_UP_MS / 1000} s`)
        break
      }
      times.push(ms)
      if (n % 5 === 0) say(`${n} restarts; last time working again after ${Math.round(ms)} ms`)
    }
    const at = (share: number) => Math.round(percentile(times, share))
    const againMs = { p50: at(0.5), p99: at(0.99), max: at(1) }
    if (!(againMs.p99 <= MOST_MS)) more.push(`working again after ${againMs.p99} ms at p99`)
    const { figures, problems } = await conclude(world, { writes, more, say })
    return {
      figures: { restarts: times.length, againMs, interrupted: writes.interrupted, ...figures },
      problems,
    }
  },
}

/** The nth restart; milliseconds until a batch was settled that began after it. Null: none was. */
export async function restartOnce(
  postgres: PostgresServer,
  n: number,
  random: Random,
): Promise<number | null> {
  await delay(random.int(200, 2_000))
  const restarted = random.chance(0.5) ? postgres.crash() : killed(postgres)
  const accepted = await acceptedAt(postgres.url, restarted)
  return untilSettled(postgres.url, n, accepted)
}

async function killed(postgres: PostgresServer): Promise<void> {
  await postgres.kill('SIGKILL')
  await postgres.start()
}

/** When Postgres accepted a connection for the first time since it was last refused; monotonic milliseconds. */
async function acceptedAt(url: string, restarted: Promise<void>): Promise<number> {
  let up = false
  const waiting = restarted.then(() => {
    up = true
  })
  // Whoever awaits it below is told.
  waiting.catch(() => undefined)
  let since: number | null = null
  while (!up || since === null) {
    try {
      await (await connect(url)).end()
      since ??= performance.now()
    } catch {
      since = null
    }
    await Promise.race([delay(5), waiting])
  }
  return since
}

/** Writes a row, the nth of its own; milliseconds from `since` until its mark is settled. Null: it is not. */
export async function untilSettled(url: string, n: number, since: number): Promise<number | null> {
  const client = await connect(url)
  try {
    await client.query('BEGIN')
    await client.query("INSERT INTO article VALUES ($1, 'after a fault', 'a row of its own')", [1e9 + n])
    const { rows } = await client.query<{ origin: string }>('SELECT pg_current_xact_id()::text AS origin')
    await client.query('COMMIT')
    while (performance.now() - since < GIVEN_UP_MS) {
      const { rowCount } = await client.query(
        'SELECT FROM sluice.sync_queue WHERE origin = $1::xid8 LIMIT 1',
        [rows[0]?.origin],
      )
      if (rowCount === 0) return performance.now() - since
      await delay(5)
    }
    return null
  } finally {
    await client.end()
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'proof',
    connectionTimeoutMillis: 2_000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
  return client
}
