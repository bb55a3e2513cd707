import type { IndexSize } from '../elasticsearch/segments.ts'
import type { Comparison } from './comparison.ts'
import type { Optimization } from './optimization.ts'

/** A long run: a row of `sync_run`. */

export type RunKind = 'backfill' | 'reindex' | 'verify' | 'optimize'
export type RunState = 'requested' | 'running' | 'cancelling' | 'done' | 'failed' | 'cancelled'

/** What was asked for: `sync_run.options`. It comes from outside (SQL, HTTP), and is checked when the run is executed. */
export interface RunOptions {
  /** Only rows whose `column` is at or after this: an interval before the request (`2 hours`), or a timestamp. */
  readonly since?: string
  readonly column?: string
  /** SQL condition over the root row. */
  readonly where?: string
  /** Only rows of this tenant. */
  readonly tenant?: string
  /** Verify: compare contents, not ids alone. */
  readonly deep?: boolean
  /** Verify: so many documents chosen at random, instead of all. */
  readonly sample?: number
  /**
   * Verify: `all` marks what differs, `extra` only documents without a row (orphan cleanup), `rewrite` everything
   * without comparing it (what sluice itself asks for). Default: nothing is repaired.
   */
  readonly repair?: 'all' | 'extra' | 'rewrite'
  /** Verify with repair: what it deletes has been confirmed; the mass-delete brake lets it pass. */
  readonly deletes?: boolean
  /** Reindex: milliseconds that the index before is kept for a rollback, and written to. */
  readonly keepMs?: number
  /** Reindex: swap the alias back to the index that was kept. */
  readonly rollback?: boolean
  /** Reindex: take the place of an index that has the alias' name. It is dropped. */
  readonly adopt?: boolean
  /** Reindex: throw the content away at once, and make it anew from the rows; with `keepMs: 0`. */
  readonly recreate?: boolean
  /** Reindex with `recreate`: the alias whose index it is; default: all of the document. */
  readonly alias?: string
  /** Optimize: the share of deleted documents, 0 to 1, from which an index is worth a merge. Default 0.2. */
  readonly threshold?: number
}

/**
 * Where a run stands; committed together with what it did, so that whoever goes on begins exactly there.
 * A new kind of run adds its steps here.
 */
export interface RunCursor {
  /**
   * compare: verify compares; list: verify looks for ids without a row; walk: marks are being written; drain: all are
   * written, not all are done; merge: optimize goes from index to index. The others are a reindex' (runs/reindex.ts).
   */
  readonly step: 'compare' | 'list' | 'walk' | 'drain' | 'merge' | ReindexStep
  /** Id parts of the last row marked, in the order of the walk; of an optimize the last index done. Null before the first. */
  readonly after: readonly string[] | null
  /** Whether `total` was counted or is the planner's estimate. */
  readonly counted: 'exact' | 'estimate'
  /** What the run will report at its end, though it succeeds: ids in the index that are no key of the document. */
  readonly warning: string | null
  readonly reindex?: ReindexState
  /** Optimize: the merge under way, so that whoever takes over waits for it and does not begin another. */
  readonly merge?: { readonly index: string; readonly task: string; readonly before: IndexSize }
}

/**
 * create: the new indices have names, and are being made; (walk, drain: they get the settings they are to have); verify: they
 * are held against the rows; swap: the aliases are being moved; swapped: they are, and it is written down.
 */
export type ReindexStep = 'create' | 'verify' | 'swap' | 'swapped'

/** What a reindex has to remember. */
export interface ReindexState {
  readonly indices: readonly Replacement[]
  /** Hash of the mappings and settings that the new indices are made with. */
  readonly hash: string
}

/** One alias, and the index that it is to point to. */
export interface Replacement {
  readonly alias: string
  /** Physical index. */
  readonly name: string
  /** Physical index that it takes the place of; null: there is none. */
  readonly from: string | null
  /** `from` is no index of ours, has the alias' own name and goes with the swap: writes that it had seen in the beginning. */
  readonly adopted?: number
}

/** What a reindex did. */
export interface ReindexResult {
  readonly indices: readonly {
    readonly alias: string
    readonly index: string
    /** Index that the alias pointed to before. */
    readonly before: string | null
  }[]
  /** Until when those are kept, ISO 8601; null: they are not. */
  readonly keptUntil: string | null
  /** Documents that a new index refused, and the old one has. */
  readonly refused: number
}

/** `sync_run.result`: each kind has its own key. */
export interface RunResult {
  readonly comparison?: Comparison
  readonly reindex?: ReindexResult
  readonly optimize?: Optimization
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
  /** What it found or did besides the counts; its shape is that of the kind. */
  readonly result: RunResult | null
  /** Why it failed, or what it has to report although it is done. */
  readonly error: string | null
  readonly requestedAt: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
  /** Milliseconds from the start to the end, or to now, by the database's clock; null before the start. */
  readonly elapsedMs: number | null
}
