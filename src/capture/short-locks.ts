import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import { FailedError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import { inTransaction } from '../postgres/transaction.ts'
import type { Queryable } from '../postgres/types.ts'

export interface ShortLocks {
  /** Watched tables, quoted: whoever holds them is named. */
  readonly tables: readonly string[]
  /** Told when the tables are not free at once, and then about every five seconds. */
  readonly onWait: (message: string) => void
  /** Give up after this many milliseconds; default two minutes. */
  readonly timeoutMs?: number
}

const defaultTimeoutMs = 120_000
const tellEveryMs = 5_000

/**
 * Runs a transaction that locks watched tables, and tries again until it gets its locks. A lock that waits makes all
 * later writers of the table wait behind it, so an attempt waits for 30 ms at most, which nobody notices, and the
 * table is free for five times as long in between. On a table that is never free for a moment this would go on
 * for ever: every tenth attempt waits for 300 ms.
 */
export async function withShortLocks<T>(
  pool: pg.Pool,
  run: (client: pg.PoolClient) => Promise<T>,
  { tables, onWait, timeoutMs = defaultTimeoutMs }: ShortLocks,
): Promise<T> {
  const started = performance.now()
  let told = Number.NEGATIVE_INFINITY
  for (let attempt = 1; ; attempt++) {
    try {
      const patience = attempt % 10 === 0 ? 300 : 30
      return await inTransaction(pool, run, {
        settings: { lock_timeout: `${patience}ms`, statement_timeout: '60s' },
      })
    } catch (error) {
      if (!isContention(error)) throw error
      if (performance.now() - started > timeoutMs) {
        throw new FailedError(`${tables.join(', ')} could not be locked: ${await holders(pool, tables)}`, {
          remedy: 'Let those transactions end, and run it again. What was done before stays.',
          cause: error,
        })
      }
    }
    if (performance.now() - told > tellEveryMs) {
      told = performance.now()
      onWait(`waiting for a lock on ${tables.join(', ')}: ${await holders(pool, tables)}`)
    }
    await setTimeout(150 + Math.random() * 100)
  }
}

/** Lock not available (lock_timeout), deadlock detected. */
function isContention(error: unknown): boolean {
  return ['55P03', '40P01'].includes(sqlState(error) ?? '')
}

/** Who holds locks on the tables, without what they are doing: queries hold data. */
async function holders(db: Queryable, tables: readonly string[]): Promise<string> {
  const { rows } = await db.query<{ holder: string }>(
    `SELECT DISTINCT format('pid %s (%s, %s for %s s)', l.pid, coalesce(nullif(a.application_name, ''), a.usename::text, 'unknown'),
              coalesce(a.state, 'unknown'), coalesce(extract(epoch FROM clock_timestamp() - a.xact_start)::integer, 0)) AS holder
       FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'relation' AND l.granted AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.relation IN (SELECT to_regclass(t)::oid FROM unnest($1::text[]) AS t) AND l.pid <> pg_backend_pid()
      LIMIT 5`,
    [tables],
  )
  return rows.length === 0
    ? 'held by short transactions'
    : `held by ${rows.map(({ holder }) => holder).join(', ')}`
}
