import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { SmallDisk } from '../support/small-disk.ts'
import type { Disturber } from './disturber.ts'

/** What an administrator, a migration or a full disk do to the daemons' sessions at Postgres. */

/** The daemons' own role in the soak: its settings can be changed without anybody else's. */
const DAEMON_ROLE = 'chaos_daemon'

export const daemonRole = `CREATE ROLE ${DAEMON_ROLE} LOGIN SUPERUSER PASSWORD 'chaos'`

/** The same address, for the daemons' role. */
export function asDaemon(url: string): string {
  return Object.assign(new URL(url), { username: DAEMON_ROLE, password: 'chaos' }).href
}

const TABLES = [
  'shop.item',
  'shop.label',
  'shop.event',
  'shop.product',
  'shop.part',
  'shop.maker',
  'shop.tag',
  'shop.product_tag',
] as const

const some = (count: number) =>
  `pg_stat_activity WHERE usename = '${DAEMON_ROLE}' ORDER BY random() LIMIT ${count}`
const backends = (verb: 'terminate' | 'cancel', count: number) =>
  `SELECT pg_${verb}_backend(pid) FROM (SELECT pid FROM ${some(count)}) s`
const ALL = 1_000

/** @param url Postgres itself, not by way of the network */
export function disturbedSessions(url: string): readonly Disturber[] {
  const sessions: Disturber = {
    name: 'sessions',
    every: [1_000, 5_000],
    disturb: (choices) => {
      const what = choices.pick(['terminate', 'cancel'] as const)
      return administered(url, what, async (client) => {
        await client.query(backends(what, choices.int(1, 4)))
      })
    },
    heal: async () => undefined,
  }
  const locks: Disturber = {
    name: 'locks',
    every: [3_000, 10_000],
    disturb: (choices, pause) => {
      const table = choices.pick(TABLES)
      return administered(url, 'table locked', async (client) => {
        // As a migration does it: whoever waits for the lock stops everybody behind it.
        await client.query(
          `BEGIN; SET LOCAL lock_timeout = '2s'; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`,
        )
        // A load waits for half of REQUEST_TIMEOUT, 1.5 seconds; beyond that its document does.
        await pause(choices.chance(0.7) ? choices.int(100, 1_500) : choices.int(2_000, 4_500))
        await client.query('ROLLBACK')
      })
    },
    heal: async () => undefined,
  }
  const calm = `ALTER ROLE ${DAEMON_ROLE} RESET ALL; ${backends('terminate', ALL)}`
  const impatience: Disturber = {
    name: 'impatience',
    every: [8_000, 16_000],
    disturb: (choices, pause) =>
      administered(url, 'time-outs of the role', async (client) => {
        const [statement, lock] = [choices.int(30, 300), choices.int(10, 100)]
        await client.query(
          `ALTER ROLE ${DAEMON_ROLE} SET statement_timeout = ${statement}; ALTER ROLE ${DAEMON_ROLE} SET lock_timeout = ${lock};
           ${backends('terminate', ALL)}`,
        )
        await pause(choices.int(500, 3_000))
        await client.query(calm)
      }),
    heal: () => untilDone(url, calm),
  }
  return [sessions, locks, impatience]
}

/**
 * A disk that is full for a while, on which a batch's settlement needs a page. A crash must not meet it: Postgres does not
 * come up again before there is room (`inTurn`).
 */
export function fullDisk(
  url: string,
  disk: SmallDisk,
  inTurn: <T>(work: () => Promise<T>) => Promise<T>,
): Disturber {
  const filler = join(disk.directory, 'filler')
  return {
    name: 'disk',
    every: [8_000, 16_000],
    disturb: (choices, pause) =>
      inTurn(() =>
        administered(url, 'full', async (client) => {
          // Its next row needs a page.
          await client.query('TRUNCATE sluice.sync_rollup')
          fill(filler)
          try {
            await pause(choices.int(500, 3_000))
          } finally {
            rmSync(filler, { force: true })
          }
        }),
      ),
    heal: async () => rmSync(filler, { force: true }),
  }
}

/** What the statistics are written to is moved to the small disk. */
export async function settleOnSmallDisk(client: pg.Pool, { directory }: SmallDisk): Promise<void> {
  await client.query(`CREATE TABLESPACE small LOCATION '${directory}'`)
  await client.query('ALTER TABLE sluice.sync_rollup SET TABLESPACE small')
}

/** Takes all the room there is: whole pages first, then what is left. */
function fill(file: string): void {
  for (const bytes of [1_000_000, 4_096]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
    }
  }
}

/** As the server's administrator. Null where Postgres was away, or the work had to give way to others. */
async function administered(
  url: string,
  what: string,
  work: (client: pg.Client) => Promise<void>,
): Promise<string | null> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'chaos',
    connectionTimeoutMillis: 2_000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    // A crash must not take back what ends a disturbance.
    await client.query('SET synchronous_commit = on')
    await work(client)
    return what
  } catch {
    return null
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function untilDone(url: string, sql: string): Promise<void> {
  const deadline = performance.now() + 30_000
  const attempt = () =>
    administered(url, 'healed', async (client) => {
      await client.query(sql)
    })
  while ((await attempt()) === null) {
    if (performance.now() > deadline) throw new Error(`Postgres does not take ${sql}`)
  }
}
