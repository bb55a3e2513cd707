import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { claimLockClass } from '../../src/queue/claim-lock.ts'
import { percentile } from '../bench/statistics.ts'
import { type ArticlesWorld, openArticles } from '../chaos/articles-world.ts'
import type { Random } from '../chaos/random.ts'
import { startSteadyWrites } from '../chaos/steady-writes.ts'
import { eventually } from '../support/eventually.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import type { Row } from './row.ts'
import { conclude } from './verdict.ts'

const MOST_MS = 10_000

const WRITES_A_SECOND = 100

/**
 * A daemon under load is told to end by SIGTERM, again and again; the next one begins where it has left. Elasticsearch
 * takes up to 300 ms for an answer, so that batches are under way whenever the signal comes: it comes when a claim is
 * open, and a random moment later. The moment the process is gone there must be nothing left of it in Postgres: no
 * session, hence no transaction, no lock of a claim, no mark that somebody else could not take.
 */
export const sigterm: Row = {
  name: 'sigterm',
  about: `SIGTERM under load, --count times: exit code 0 within ${MOST_MS / 1000} s, no claim left, nothing lost`,
  defaults: { count: 100 },
  run: async ({ count, random, say, closing, program }) => {
    const world = await openArticles({
      name: 'sigterm',
      say,
      closing,
      program,
      daemons: 1,
      documents: 3,
      before: async (elasticsearch) => {
        const proxy = await startFaultProxy(elasticsearch)
        closing.defer(() => proxy.close())
        proxy.break('/_bulk', () => ({ kind: 'slow', ms: random.int(0, 300) }))
        return proxy.url
      },
    })
    const writes = startSteadyWrites(world.postgres.url, WRITES_A_SECOND)
    closing.defer(() => writes.stop())
    const more: string[] = []
    const times: number[] = []
    let underWay = 0
    for (let n = 1; n <= count; n++) {
      const ended = await terminateOnce(world, random)
      if (ended === null) {
        more.push(`SIGTERM ${n}: the daemon was gone already`)
        continue
      }
      times.push(ended.ms)
      if (ended.underWay) underWay += 1
      more.push(...ended.problems.map((what) => `SIGTERM ${n}: ${what}`))
      if (ended.ms > MOST_MS) more.push(`SIGTERM ${n}: it took ${Math.round(ended.ms)} ms`)
      if (n % 5 === 0) say(`${n} times; last time it took ${Math.round(ended.ms)} ms`)
    }
    // With nothing under way the signal would prove little.
    if (underWay < count / 2) more.push(`a batch was under way at ${underWay} of ${count} signals only`)
    world.daemons.start(0)
    const { figures, problems } = await conclude(world, { writes, more, say })
    const at = (share: number) => Math.round(percentile(times, share))
    const exitMs = { p50: at(0.5), p99: at(0.99), max: at(1) }
    return { figures: { signals: times.length, underWay, exitMs, ...figures }, problems }
  },
}

/**
 * The daemon works, has a claim, and is told to end. Null: it was gone. `underWay`: a claim was open at the signal, as far as
 * can be seen.
 */
export async function terminateOnce({ daemons, pool }: ArticlesWorld, random: Random) {
  daemons.start(0)
  await eventually(() => daemons.works(0), { timeoutMs: 60_000, describe: 'the daemon works' })
  await eventually(async () => (await openClaims(pool)) > 0, { timeoutMs: 60_000, describe: 'a claim' })
  await delay(random.int(0, 500))
  const underWay = (await openClaims(pool)) > 0
  const ending = await daemons.terminate(0)
  if (ending === null) return null
  const problems = [
    ...(await leftBehind(pool, ending.instance)),
    ...(ending.code === 0 ? [] : [`exit code ${ending.code}`]),
  ]
  return { ms: ending.ms, underWay, problems }
}

async function openClaims(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ claims: number }>(`SELECT ${claims} AS claims`)
  return rows[0]?.claims ?? 0
}

const claims = `(SELECT count(*)::integer FROM pg_locks
                  WHERE locktype = 'advisory' AND classid = ${claimLockClass} AND granted)`

/** What of a daemon is still there now that its process is gone. */
async function leftBehind(pool: pg.Pool, instance: string): Promise<readonly string[]> {
  const { rows } = await pool.query<{
    state: string | null
    sessions: string | null
    claims: number
    locked: number
  }>(
    `SELECT (SELECT state FROM sluice.sync_worker WHERE instance = $1) AS state,
            (SELECT string_agg(state || ': ' || query, '; ') FROM pg_stat_activity
              WHERE application_name = 'sluice ' || $1 AND xact_start IS NOT NULL) AS sessions,
            ${claims} AS claims,
            ((SELECT count(*) FROM sluice.sync_queue)
              - (SELECT count(*) FROM (SELECT FROM sluice.sync_queue FOR UPDATE SKIP LOCKED) free))::integer AS locked`,
    [instance],
  )
  const [found] = rows
  if (found === undefined) return ['no answer']
  return [
    ...(found.state === 'stopped' ? [] : [`${instance} is ${found.state} in sync_worker`]),
    ...(found.sessions === null ? [] : [`a transaction of it is open: ${found.sessions}`]),
    ...(found.claims === 0 ? [] : [`${found.claims} claims are open`]),
    ...(found.locked === 0 ? [] : [`${found.locked} marks are locked`]),
  ]
}
