import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import { type RunRow, runColumns, runOf } from './run-row.ts'
import type { Run } from './types.ts'

export interface RunFilter {
  readonly id?: string
  readonly document?: string
  /** Only runs that are requested, running or cancelling. */
  readonly active?: boolean
  /** Only older ones than this. */
  readonly before?: string
  /** At most so many, the newest first. Default 50. */
  readonly limit?: number
}

/** Runs, the newest first. Without a filter it rides the primary key backwards and stops at the limit. */
export async function readRuns(db: Queryable, schema: string, filter: RunFilter = {}): Promise<Run[]> {
  const { id = null, document = null, active = false, before = null, limit = 50 } = filter
  const { rows } = await db.query<RunRow>(
    `SELECT ${runColumns('r')}
       FROM ${escapeIdentifier(schema)}.sync_run r
      WHERE ($1::bigint IS NULL OR r.id = $1)
        AND ($2::text IS NULL OR r.document = $2)
        AND ($5::bigint IS NULL OR r.id < $5)
        AND (NOT $3 OR r.state IN ('requested', 'running', 'cancelling'))
      ORDER BY r.id DESC
      LIMIT $4`,
    [id, document, active, limit, before],
  )
  return rows.map(runOf)
}

/** One run, or null when there is none of that id. */
export async function readRun(db: Queryable, schema: string, id: string): Promise<Run | null> {
  const [run] = await readRuns(db, schema, { id, limit: 1 })
  return run ?? null
}

/** What runs under way wait for, by id: a daemon, their turn, a document to be resumed, a blocked index. Those that go on are not in it. */
export async function readWaits(db: Queryable, schema: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.query<{ id: string; waits_for: string }>(
    `SELECT id::text, waits_for FROM ${escapeIdentifier(schema)}.sync_runs
      WHERE state IN ('requested', 'running') AND waits_for IS NOT NULL`,
  )
  return new Map(rows.map((row) => [row.id, row.waits_for]))
}
