/** Marks, claims and outcomes: what passes between the queue and the pipeline. */

/** 0 interactive, 1 bulk, 2 parked. */
export type Lane = 0 | 1 | 2

export type MarkOp =
  | 'insert'
  | 'update'
  | 'delete'
  | 'truncate'
  | 'backfill'
  | 'retry'
  | 'enqueue'
  | 'orphan'
  | 'shed'
  | 'alarm'

export interface Mark {
  /** bigint as text. */
  readonly id: string
  readonly source: string
  /** Key tuples; null: everything of that source. */
  readonly keys: readonly string[] | null
  readonly op: MarkOp
  /** xid8 as text. */
  readonly origin: string
  readonly target: string | null
  readonly runId: string | null
  /** Milliseconds from the mark to the claim, by the database's clock. */
  readonly ageMs: number
}

/** Marks taken out of the queue by a transaction that is still open. */
export interface Claim {
  readonly document: string
  readonly lane: Lane
  readonly marks: readonly Mark[]
  /** As `serverSql` says. */
  readonly server: string
}

/** A physical index that a batch writes to. */
export interface Target {
  readonly index: string
  readonly alias: string
  readonly uuid: string
  /** As `sync_index.role`: every target but a retired one is written to. */
  readonly role: 'live' | 'kept' | 'building'
}

/** A target as a batch reads it. */
export interface BatchTarget extends Target {
  /** When keys parked for it were last released; equal or not is all that matters. */
  readonly releasedAt: string | null
}

/** One distinct key of a batch, with what its marks said. */
export interface BatchKey {
  readonly key: string
  /** Oldest of its marks' origins. */
  readonly origin: string
  /** Physical index the marks were for; null: all. */
  readonly target: string | null
  readonly runId: string | null
  /** Age of its oldest mark at the claim, in milliseconds. */
  readonly ageMs: number
  /** Of its marks' ops the one that explains most (`foldMarks`). */
  readonly op: MarkOp
}

/** A key that failed, for `sync_failed`. */
export interface Failure {
  readonly key: string
  readonly id: string
  /** Physical index, or '' when the document could not be read or encoded. */
  readonly target: string
  readonly origin: string
  /** What its mark said; that of its retry says it again. */
  readonly op: MarkOp
  readonly type: string
  /** Without document values. */
  readonly reason: string
  /** Dead at once, or retried until `maxRetries` attempts. */
  readonly dead: boolean
}

/** What became of one operation (or of a key that never became one). */
export interface LogEntry {
  readonly index: string
  readonly operation: 'index' | 'delete' | 'none'
  readonly outcome: 'done' | 'superseded' | 'retry' | 'dead' | 'blocked'
  readonly count: number
  readonly bytes: number
  readonly lagSumMs: number
  readonly tookMs: number
}

/** Counts that a batch adds to a run. */
export interface RunCounts {
  readonly runId: string
  readonly processed: number
  readonly created: number
  readonly updated: number
  readonly deleted: number
  readonly failed: number
}

/** All that one batch writes before its commit, which is the acknowledgement. */
export interface Settlement {
  readonly document: string
  /** Lane of the claim: keys given back return to it. */
  readonly lane: Lane
  readonly version: bigint
  /** Keys answered well, by target: failure rows of versions <= version are erased. */
  readonly succeeded: ReadonlyMap<string, readonly string[]>
  readonly failures: readonly Failure[]
  /** Keys to mark again, uncharged (claim's life over, timeline fault): same lane, same origin. */
  readonly givenBack: readonly BatchKey[]
  /** Keys that the mass-delete brake holds back (no target), and keys whose target is blocked: marked in lane 2. */
  readonly parked: readonly BatchKey[]
  readonly runs: readonly RunCounts[]
  /** Log and rollup rows that are due (the worker aggregates them to one a second). */
  readonly log: readonly LogEntry[]
  readonly lagCounts: readonly number[]
  readonly batches: number
}
