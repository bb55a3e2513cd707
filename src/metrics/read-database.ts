import type pg from 'pg'
import { escapeIdentifier } from 'pg'
import { isConnectionError } from '../postgres/connect.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { lastDifferencesSql } from '../queue/last-differences.ts'
import type { Alert } from '../queue/read-alerts.ts'

/**
 * What the database says of all daemons together: small statements, each in a short transaction of its own with a
 * time-out, so that one that takes too long costs its own metrics and no others.
 */

/** What takes longer is left out of the scrape, and it takes one processor at most. */
const SETTINGS = {
  statement_timeout: '2s',
  lock_timeout: '1s',
  transaction_read_only: 'on',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
}

interface Pending {
  readonly document: string
  readonly lane: number
  readonly keys: number
}

interface Oldest {
  readonly document: string
  readonly lane: number
  /** Of the first mark in the claim's order; 0 where there is none. */
  readonly seconds: number
}

interface FailedDocuments {
  readonly document: string
  readonly state: string
  readonly type: string
  readonly count: number
}

interface RunProgress {
  readonly document: string
  readonly kind: string
  readonly processed: number
  /** Null while it is not known. */
  readonly total: number | null
}

/** The last run of a kind of a document that has ended. */
interface LastRun {
  readonly document: string
  readonly kind: string
  readonly failed: boolean
  /** Seconds since 1970. */
  readonly endedAt: number
}

/** What the last verify of a document that came to an end has left: after its repair, where it made one. */
interface Differences {
  readonly document: string
  /** bigint as text. */
  readonly missing: string
  readonly stale: string
  readonly extra: string
}

interface Standing {
  readonly document: string
  readonly state: string
}

/** Statements by what they are about; `s` is the quoted schema. */
const statements = {
  documents: (s: string) => `SELECT name AS document, state FROM ${s}.sync_document ORDER BY name`,

  // Estimated where there are too many marks to count.
  queue: (s: string) => `
    SELECT d.name AS document, l.lane::int, q.keys::float8
      FROM ${s}.sync_document d CROSS JOIN generate_series(0, 2) AS l (lane)
     CROSS JOIN LATERAL ${s}.queued_keys(d.name, l.lane::smallint) q
     ORDER BY 1, 2`,

  // Rides the primary key: one mark of each document and lane, however many there are.
  oldest: (s: string) => `
    SELECT d.name AS document, l.lane::int,
           coalesce(extract(epoch FROM clock_timestamp() - (
             SELECT created_at FROM ${s}.sync_queue WHERE document = d.name AND lane = l.lane ORDER BY id LIMIT 1)), 0)::float8 AS seconds
      FROM ${s}.sync_document d CROSS JOIN generate_series(0, 2) AS l (lane)
     ORDER BY 1, 2`,

  failures: (s: string) => `
    SELECT document, state, type, count(*)::float8 AS count FROM ${s}.sync_failed GROUP BY 1, 2, 3`,

  runs: (s: string) => `
    SELECT document, kind, processed::float8, total::float8 FROM ${s}.sync_run WHERE state IN ('requested', 'running', 'cancelling')`,

  lastRuns: (s: string) => `
    SELECT DISTINCT ON (document, kind) document, kind, state = 'failed' AS failed,
           extract(epoch FROM finished_at)::float8 AS "endedAt"
      FROM ${s}.sync_run WHERE state IN ('done', 'failed') ORDER BY document, kind, id DESC`,

  differences: lastDifferencesSql,

  alerts: (s: string) => `SELECT name, document, severity FROM ${s}.sync_alerts`,

  workers: (s: string) => `SELECT count(*)::float8 AS alive FROM ${s}.sync_workers WHERE alive`,

  // Of other roles' sessions it is seen only by a role that has pg_read_all_stats.
  snapshots: () => `
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)::float8 AS "oldestSeconds"
      FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type NOT LIKE 'autovacuum%'
       AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()`,
} as const

export type Question = keyof typeof statements
export const questions = Object.keys(statements) as readonly Question[]

interface Answers {
  readonly documents: readonly Standing[]
  readonly queue: readonly Pending[]
  readonly oldest: readonly Oldest[]
  readonly failures: readonly FailedDocuments[]
  readonly runs: readonly RunProgress[]
  readonly lastRuns: readonly LastRun[]
  readonly differences: readonly Differences[]
  readonly alerts: readonly Pick<Alert, 'name' | 'document' | 'severity'>[]
  readonly workers: readonly { readonly alive: number }[]
  readonly snapshots: readonly { readonly oldestSeconds: number }[]
}

/** A question that was not answered in time, or not at all, has no key here. */
export type Reading = { readonly [Name in Question]?: Answers[Name] }

/**
 * Asks everything, each question in a short transaction of its own (settings of a session do not survive a pooler). Throws
 * only where none is answered: the database is away, or our schema is not there.
 */
export async function readDatabase(pool: pg.Pool, schema: string): Promise<Reading> {
  const reading: Record<string, readonly unknown[]> = {}
  let failed: unknown
  for (const question of questions) {
    try {
      const sql = statements[question](escapeIdentifier(schema))
      const { rows } = await inTransaction(pool, (client) => client.query(sql), { settings: SETTINGS })
      reading[question] = rows
    } catch (error) {
      failed = error
      if (isConnectionError(error)) break
    }
  }
  if (Object.keys(reading).length === 0) throw failed
  return reading
}
