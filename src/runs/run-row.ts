import type { QueryResultRow } from 'pg'
import type { Run, RunCursor, RunKind, RunOptions, RunResult, RunState } from './types.ts'

/** How a row of `sync_run` is read, everywhere the same. */

const utc = (expression: string) =>
  `to_char(${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** Select list for the row that `alias` names; `runOf` reads what it returns. */
export function runColumns(alias: string): string {
  const r = alias
  return `
    ${r}.id::text, ${r}.kind, ${r}.document, ${r}.state, ${r}.options, ${r}.cursor, ${r}.origin::text, ${r}.truncated,
    ${r}.requested_by, ${r}.reason, ${r}.worker, ${r}.total::float8, ${r}.walked::float8, ${r}.processed::float8,
    ${r}.created::float8, ${r}.updated::float8, ${r}.deleted::float8, ${r}.failed::float8, ${r}.result, ${r}.error,
    ${utc(`${r}.requested_at`)} AS requested_at, ${utc(`${r}.started_at`)} AS started_at,
    ${utc(`${r}.finished_at`)} AS finished_at,
    (extract(epoch FROM coalesce(${r}.finished_at, clock_timestamp()) - ${r}.started_at) * 1000)::float8 AS elapsed_ms`
}

export interface RunRow extends QueryResultRow {
  readonly id: string
  readonly kind: RunKind
  readonly document: string
  readonly state: RunState
  readonly options: RunOptions
  readonly cursor: RunCursor | null
  readonly origin: string
  readonly truncated: boolean
  readonly requested_by: string
  readonly reason: string | null
  readonly worker: string | null
  readonly total: number | null
  readonly walked: number
  readonly processed: number
  readonly created: number
  readonly updated: number
  readonly deleted: number
  readonly failed: number
  readonly result: RunResult | null
  readonly error: string | null
  readonly requested_at: string
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly elapsed_ms: number | null
}

export function runOf(row: RunRow): Run {
  return {
    id: row.id,
    kind: row.kind,
    document: row.document,
    state: row.state,
    options: row.options,
    cursor: row.cursor,
    origin: row.origin,
    truncated: row.truncated,
    requestedBy: row.requested_by,
    reason: row.reason,
    worker: row.worker,
    total: row.total,
    walked: row.walked,
    processed: row.processed,
    created: row.created,
    updated: row.updated,
    deleted: row.deleted,
    failed: row.failed,
    result: row.result,
    error: row.error,
    requestedAt: row.requested_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    elapsedMs: row.elapsed_ms,
  }
}

/** True once nothing more will happen to it. */
export function isFinished(run: Pick<Run, 'state'>): boolean {
  return run.state === 'done' || run.state === 'failed' || run.state === 'cancelled'
}
