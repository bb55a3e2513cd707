/** A long run: a row of `sync_run`. */

export type RunKind = 'backfill' | 'reindex' | 'verify' | 'optimize'
export type RunState = 'requested' | 'running' | 'cancelling' | 'done' | 'failed' | 'cancelled'

export interface RunOptions {
  /** Only rows whose `column` is at or after this: an interval before the request (`2 hours`), or a timestamp. */
  readonly since?: string
  readonly column?: string
  /** SQL condition over the root row. */
  readonly where?: string
}

/**
 * Where a run stands; committed together with what it did, so that whoever goes on begins exactly there.
 * A new kind of run adds its steps here.
 */
export interface RunCursor {
  /** list: verify looks for ids without a row; walk: marks are being written; drain: all are written, not all are done. */
  readonly step: 'list' | 'walk' | 'drain'
  /** Id parts of the last row marked, in the order of the walk; null before the first. */
  readonly after: readonly string[] | null
  /** Whether `total` was counted or is the planner's estimate. */
  readonly counted: 'exact' | 'estimate'
  /** What the run will report at its end, though it succeeds: ids in the index that are no key of the document. */
  readonly warning: string | null
}

export interface Run {
  readonly id: string
  readonly kind: RunKind
  readonly document: string
  readonly state: RunState
  readonly options: RunOptions
  readonly cursor: RunCursor | null
  /** Transaction that asked for it; xid8 as text. */
  readonly origin: string
  /** A verify that a TRUNCATE asked for. */
  readonly truncated: boolean
  readonly requestedBy: string
  readonly reason: string | null
  /** Instance that executes it, or did last. */
  readonly worker: string | null
  /** Keys to mark; null until the run has begun, exact once the walk is over. */
  readonly total: number | null
  readonly walked: number
  readonly processed: number
  readonly created: number
  readonly updated: number
  readonly deleted: number
  readonly failed: number
  /** Why it failed, or what it has to report although it is done. */
  readonly error: string | null
  readonly requestedAt: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
  /** Milliseconds from the start to the end, or to now, by the database's clock; null before the start. */
  readonly elapsedMs: number | null
}
