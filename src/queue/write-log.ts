import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { LogEntry } from './types.ts'

export interface DueLog {
  readonly worker: string
  readonly document: string
  /** Added up by the worker: one entry per index, operation and outcome, at most once a second. */
  readonly log: readonly LogEntry[]
  /** As LAG_BOUNDS_MS has it. */
  readonly lagCounts: readonly number[]
  readonly batches: number
}

/**
 * Adds outcomes to sync_log and to this minute of sync_rollup, in one statement; 0.6 ms. The database's clock dates
 * them (invariant 14). write_log() creates a missing partition and never fails: a batch whose documents are in
 * Elasticsearch is settled, log or no log. Rides the rollup's primary key.
 */
export async function writeLog(
  db: Queryable,
  schema: string,
  { worker, document, log, lagCounts, batches }: DueLog,
): Promise<void> {
  if (log.length === 0 && batches === 0) return
  const s = escapeIdentifier(schema)
  const sum = (some: readonly LogEntry[], of: 'count' | 'bytes' | 'lagSumMs') =>
    some.reduce((total, entry) => total + entry[of], 0)
  const counted = (outcome: LogEntry['outcome'], operation?: LogEntry['operation']) =>
    sum(
      log.filter(
        (entry) => entry.outcome === outcome && (operation === undefined || entry.operation === operation),
      ),
      'count',
    )
  const entries = log.map(({ index, operation, outcome, count, bytes, lagSumMs, tookMs }) => ({
    index,
    operation,
    outcome,
    count,
    bytes,
    lag_sum_ms: lagSumMs,
    took_ms: tookMs,
  }))
  await db.query(
    `WITH rollup AS (
       INSERT INTO ${s}.sync_rollup AS u
         (minute, document, worker, indexed, deleted, superseded, retried, dead, bytes, batches, lag_sum_ms, lag_counts)
       VALUES (date_trunc('minute', clock_timestamp()), $1, $2, $4, $5, $6, $7, $8, $9, $10, $11, $12::bigint[])
       ON CONFLICT (minute, document, worker) DO UPDATE
         SET indexed = u.indexed + excluded.indexed, deleted = u.deleted + excluded.deleted,
             superseded = u.superseded + excluded.superseded, retried = u.retried + excluded.retried,
             dead = u.dead + excluded.dead, bytes = u.bytes + excluded.bytes, batches = u.batches + excluded.batches,
             lag_sum_ms = u.lag_sum_ms + excluded.lag_sum_ms,
             lag_counts = coalesce(${s}.add_counts(u.lag_counts, excluded.lag_counts), '{}'))
     SELECT ${s}.write_log($2, $1, $3::jsonb)`,
    [
      document,
      worker,
      JSON.stringify(entries),
      counted('done', 'index'),
      counted('done', 'delete'),
      counted('superseded'),
      counted('retry'),
      counted('dead'),
      sum(log, 'bytes'),
      batches,
      sum(
        log.filter(({ outcome }) => outcome !== 'blocked'),
        'lagSumMs',
      ),
      lagCounts,
    ],
  )
}
