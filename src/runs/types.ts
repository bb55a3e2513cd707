/** A long run: a row of `sync_run`. */

export type RunKind = 'backfill' | 'reindex' | 'verify' | 'optimize'
export type RunState = 'requested' | 'running' | 'cancelling' | 'done' | 'failed' | 'cancelled'

export interface RunOptions {
  /** Only rows whose `column` is at or after this: an interval (`2 hours`) or a timestamp. */
  readonly since?: string
  readonly column?: string
  /** SQL condition over the root row. */
  readonly where?: string
}

export interface Run {
  readonly id: string
  readonly kind: RunKind
  readonly document: string
  readonly state: RunState
  readonly options: RunOptions
  /** Key parts of the last row marked; null at the start. */
  readonly cursor: readonly string[] | null
  readonly requestedBy: string
  readonly reason: string | null
  readonly total: number | null
  readonly walked: number
  readonly processed: number
  readonly created: number
  readonly updated: number
  readonly deleted: number
  readonly failed: number
  readonly error: string | null
  readonly requestedAt: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
}
