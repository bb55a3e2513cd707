import type pg from 'pg'
import { createPool } from '../postgres/connect.ts'
import { within } from './within.ts'

/** Requests under way get so long to end by themselves. */
const PATIENCE_MS = 5_000

/** And so long to be broken off and to answer that. With all else that ends here: below the 15 s that service managers leave. */
const BREAKING_OFF_MS = 3_000

/** Between two looks at what still runs: a change of several statements may be between two of them. */
const AGAIN_MS = 250

/** For the last words of the audit, and for connections to be closed. */
const LAST_MS = 1_500

/**
 * The end of a server. Whatever is under way gets five seconds. Then the statements that it waits for are cancelled: a change
 * that waits for a lock would otherwise be carried out when nobody is there any more to say so. Each is answered and audited
 * as broken off; of one that does not even heed that (it waits for Elasticsearch) the audit says that nobody knows.
 */
export class Ending {
  readonly #unaudited = new Set<() => Promise<void>>()
  #cut = false

  /** Whether statements are being cancelled: one that fails now does so for our sake. */
  get isCut(): boolean {
    return this.#cut
  }

  /** Does a change. @param unknown writes to the audit that nobody knows how it ended */
  async during<T>(change: () => Promise<T>, unknown: () => Promise<void>): Promise<T> {
    this.#unaudited.add(unknown)
    try {
      return await change()
    } finally {
      this.#unaudited.delete(unknown)
    }
  }

  /**
   * @param answered resolves when nothing is under way
   * @param hangUp ends the connections of those who still wait
   */
  async run(
    pool: pg.Pool,
    postgres: string,
    { answered, hangUp }: { readonly answered: Promise<unknown>; readonly hangUp: () => void },
  ): Promise<void> {
    const clients = clientsOf.get(pool) ?? new Set()
    if (!(await endsIn(PATIENCE_MS, answered))) {
      this.#cut = true
      await breakOff(pool, postgres, answered)
    }
    hangUp()
    await endsIn(LAST_MS, Promise.allSettled([...this.#unaudited].map((unknown) => unknown())))
    if (await endsIn(LAST_MS, pool.end())) return
    // With a query under way this closes the socket: Postgres has not heeded the cancel, or is not there.
    for (const client of clients) void client.end().catch(() => undefined)
  }
}

const clientsOf = new WeakMap<pg.Pool, Set<pg.PoolClient>>()

/** The pool of the pages: its name in pg_stat_activity is of this server alone, so that its statements can be cancelled. */
export function endablePool(
  postgres: string,
  instance: string,
  options: { max: number; statementTimeoutMs: number },
): pg.Pool {
  // What tells it apart comes first: Postgres keeps 63 bytes.
  const applicationName = `sluice http ${crypto.randomUUID().slice(0, 8)} ${instance}`
  const pool = createPool(postgres, { ...options, applicationName })
  const clients = new Set<pg.PoolClient>()
  pool.on('connect', (client) => clients.add(client))
  pool.on('remove', (client) => clients.delete(client))
  clientsOf.set(pool, clients)
  return pool
}

/** Never throws: where Postgres does not answer, nothing is cancelled and nothing is done. */
async function breakOff(pool: pg.Pool, postgres: string, answered: Promise<unknown>): Promise<void> {
  // By a connection of its own: all of the pool's may be waiting.
  const own = createPool(postgres, {
    max: 1,
    applicationName: 'sluice http end',
    statementTimeoutMs: BREAKING_OFF_MS,
  })
  const endsAt = performance.now() + BREAKING_OFF_MS
  try {
    do {
      await within(endsAt - performance.now(), 'Postgres', own.query(CANCEL, [pool.options.application_name]))
    } while (!(await endsIn(AGAIN_MS, answered)) && performance.now() < endsAt)
  } catch {
    await endsIn(endsAt - performance.now(), answered)
  } finally {
    void own.end().catch(() => undefined)
  }
}

/** All but the last word of the audit. By name and not by pid: through PgBouncer a pid is none that Postgres knows. */
const CANCEL = `
  SELECT pg_cancel_backend(pid) FROM pg_stat_activity
   WHERE application_name = left($1, 63) AND datname = current_database() AND state = 'active'
     AND query NOT LIKE 'UPDATE %.sync_audit SET %'`

async function endsIn(ms: number, work: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(resolve, Math.max(ms, 0), false)
  try {
    return await Promise.race([work.then(() => true as const), late])
  } finally {
    clearTimeout(timer)
  }
}
