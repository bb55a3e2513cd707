import { setTimeout as delay } from 'node:timers/promises'
import { claimLockClass } from '../../src/queue/claim-lock.ts'
import type { World } from './world.ts'

/** Looks at the queue, and waits for it, from outside. */

interface Marks {
  readonly document: string
  readonly lane: 0 | 1
  readonly count: number
  readonly keysPerMark: number
}

/** Writes marks for the keys 1 to `count`, `keysPerMark` each, as a backfill or an application would have left them. */
export async function writeMarks({ pool }: Pick<World, 'pool'>, marks: Marks): Promise<void> {
  await insertMarks({ pool }, marks)
  await pool.query('VACUUM (ANALYZE) sluice.sync_queue')
}

/** The same for daemons that are there already, and claim as soon as they see them: all are to be seen at once. */
export async function insertMarks(
  { pool }: Pick<World, 'pool'>,
  { document, lane, count, keysPerMark }: Marks,
): Promise<void> {
  await pool.query(
    `INSERT INTO sluice.sync_queue (document, lane, keys, op)
     SELECT $1, $2, array_agg(n::text ORDER BY n), 'enqueue'
       FROM generate_series(1, $3::bigint) AS n GROUP BY (n - 1) / $4::bigint ORDER BY min(n)`,
    [document, lane, count, keysPerMark],
  )
}

/** Resolves at the first claim; monotonic milliseconds. */
export async function firstClaim({ pool }: Pick<World, 'pool'>): Promise<number> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const { rows } = await pool.query<{ claimed: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_locks 
               WHERE locktype = 'advisory' AND classid = $1
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS claimed`,
      [claimLockClass],
    )
    if (rows[0]?.claimed === true) return performance.now()
    if (performance.now() > deadline) throw new Error('no claim within a minute')
    await delay(2)
  }
}

/** Resolves when no mark is left, those of unsettled claims included; monotonic milliseconds. */
export async function emptied({ pool }: Pick<World, 'pool'>, lookEveryMs = 25): Promise<number> {
  const deadline = performance.now() + 3_600_000
  for (;;) {
    const { rows } = await pool.query('SELECT FROM sluice.sync_queue LIMIT 1')
    if (rows.length === 0) return performance.now()
    if (performance.now() > deadline) throw new Error('the queue is not empty after an hour')
    await delay(lookEveryMs)
  }
}

/** A figure of documents that did not arrive is worth nothing. */
export async function assertIndexed(world: World, alias: string, expected: number): Promise<void> {
  await world.search('POST', `/${alias}/_refresh`)
  const { count } = (await world.search('GET', `/${alias}/_count`)) as { count: number }
  const { rows } = await world.pool.query<{ failed: number }>(
    'SELECT count(*)::integer AS failed FROM sluice.sync_failed',
  )
  if (count === expected && rows[0]?.failed === 0) return
  throw new Error(`${alias} holds ${count} documents of ${expected}, ${rows[0]?.failed} have failed`)
}
