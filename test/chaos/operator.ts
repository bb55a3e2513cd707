import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { isConnectionError, sqlState } from '../../src/postgres/connect.ts'
import type { Random } from './random.ts'

/** Somebody who asks for long runs all the time, while everything goes wrong. */
export interface Operator {
  readonly requested: number
  /** Errors of requests that nothing explains. */
  readonly errors: readonly string[]
  stop(): Promise<void>
}

/**
 * Documents that runs are asked for. The others have none: a backfill heals what was lost before it, and a reindex begins
 * from the rows, so that a loss in a document with runs is seen only if it comes after the last of them.
 */
const operated = ['label', 'product', 'routed'] as const

/** What schedules ask for, so that not every time somebody else was first. */
export const scheduled = 'routed'

/** What is asked for; the first three of each document are reindexes, so that aliases are swapped for certain. */
function choose(random: Random, earlier: number): { readonly kind: string; readonly options: object } {
  if (earlier < 3 || random.chance(0.4)) {
    return { kind: 'reindex', options: { keepMs: random.pick([0, 500, 5_000, 60_000]) } }
  }
  return random.pick([
    { kind: 'backfill', options: {} },
    { kind: 'backfill', options: { where: 'true' } },
    { kind: 'verify', options: {} },
    { kind: 'verify', options: { deep: true } },
    { kind: 'verify', options: { repair: 'all' } },
    { kind: 'verify', options: { repair: 'rewrite' } },
    { kind: 'optimize', options: { threshold: 0 } },
    { kind: 'reindex', options: { rollback: true } },
  ])
}

/** Requests by plain SQL, as anybody may, and schedules that are due before their time. */
export function startOperator(url: string, random: Random): Operator {
  const stopping = new AbortController()
  const errors: string[] = []
  const operator = {
    requested: 0,
    errors,
    stop: async () => {
      stopping.abort()
      await ended
    },
  }
  const pause = (ms: number) => delay(ms, undefined, { signal: stopping.signal }).catch(() => undefined)

  const request = async (document: string, choices: Random): Promise<void> => {
    let earlier = 0
    while (!stopping.signal.aborted) {
      const patient = document === scheduled && earlier > 0
      await pause(patient ? choices.int(5_000, 20_000) : choices.int(100, 1_000))
      const { kind, options } = choose(choices, earlier)
      const done = await carriedOut(url, errors, async (client) => {
        const sql = 'INSERT INTO sluice.sync_run (kind, document, options) VALUES ($1, $2, $3)'
        await client.query(sql, [kind, document, JSON.stringify(options)])
      })
      if (!done) continue
      earlier += 1
      operator.requested += 1
    }
  }
  const hurry = async (choices: Random): Promise<void> => {
    while (!stopping.signal.aborted) {
      await pause(choices.int(1_000, 4_000))
      await carriedOut(url, errors, async (client) => {
        await client.query('UPDATE sluice.sync_schedule SET next_at = clock_timestamp()')
      })
    }
  }
  const ended = Promise.all([
    ...operated.map((document) => request(document, random.fork(document))),
    hurry(random.fork('schedules')),
  ])
  return operator
}

/** A run under way (unique key) and a Postgres that crashes are what an operator has to expect. */
async function carriedOut(
  url: string,
  errors: string[],
  work: (client: pg.Client) => Promise<void>,
): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await work(client)
    return true
  } catch (error) {
    if (!isConnectionError(error) && sqlState(error) !== '23505' && errors.length < 10) {
      errors.push(error instanceof Error ? error.message : String(error))
    }
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

/**
 * Lets the time of all kept indices be over, and waits until those that searches see are the only ones: documents are then
 * compared and counted by patterns that match all. False when that does not come.
 */
export async function onlyLiveIndices(pool: pg.Pool): Promise<boolean> {
  const deadline = performance.now() + 60_000
  for (;;) {
    await pool.query(`UPDATE sluice.sync_index SET drop_at = clock_timestamp() WHERE role = 'kept'`)
    // What was given up while it was being made is remembered without a UUID, and is gone all the same.
    const { rowCount } = await pool.query(`SELECT FROM sluice.sync_index WHERE role <> 'live' AND uuid <> ''`)
    if (rowCount === 0) return true
    if (performance.now() > deadline) return false
    await delay(200)
  }
}

export interface RunsOfOperator {
  /** Runs that are done, over all documents. */
  readonly runs: number
  /** Reindexes that have moved an alias. */
  readonly swaps: number
  /** Firings of schedules that have asked for a run. */
  readonly scheduled: number
  /** Runs that failed: a server was away at the wrong moment. Nothing is lost by that; they are shown. */
  readonly failedRuns: number
  readonly failures: readonly string[]
  /** What is wrong, for people. */
  readonly findings: readonly string[]
}

/** What has become of the runs, once all have ended. */
export async function runsOfOperator({
  pool,
  elasticsearch,
}: {
  readonly pool: pg.Pool
  readonly elasticsearch: string
}): Promise<RunsOfOperator> {
  const { rows } = await pool.query<{ runs: number; swaps: number; scheduled: number }>(
    `SELECT count(*) FILTER (WHERE state = 'done')::integer AS runs,
            count(*) FILTER (WHERE state = 'done' AND kind = 'reindex')::integer AS swaps,
            count(*) FILTER (WHERE requested_by LIKE 'schedule %')::integer AS scheduled
       FROM sluice.sync_run`,
  )
  const failed = await pool.query<{ run: string }>(
    `SELECT format('run %s, a %s of %s, failed: %s', id, kind, document, error) AS run FROM sluice.sync_run
      WHERE state = 'failed' AND options ->> 'rollback' IS NULL ORDER BY id LIMIT 10`,
  )
  const registered = await pool.query<{ name: string }>('SELECT name FROM sluice.sync_index')
  const names = new Set(registered.rows.map(({ name }) => name))
  const answer = await fetch(new URL('/_cat/indices/chaos-*?format=json&h=index', elasticsearch))
  const there = ((await answer.json()) as readonly { readonly index: string }[]).map(({ index }) => index)
  const strays = there.filter((index) => !names.has(index)).map((index) => `index ${index} is nobody's`)
  const [counts] = rows
  return {
    runs: counts?.runs ?? 0,
    swaps: counts?.swaps ?? 0,
    scheduled: counts?.scheduled ?? 0,
    failedRuns: failed.rows.length,
    failures: failed.rows.map(({ run }) => run),
    findings: strays,
  }
}
