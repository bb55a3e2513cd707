import type { Step } from './state.ts'

/** What may happen at most. */
export interface Bounds {
  /** Transactions of the application that change a row, those that are rolled back among them. */
  readonly changes: number
  readonly workers: number
  /** Rows that the document is made of: its own alone, or one of a related table, too. */
  readonly rows: 1 | 2
  /** Faults of all kinds together. */
  readonly faults: number
  /** Crashes of Postgres. */
  readonly crashes: number
  /** Requests without an answer, or that are refused in part. */
  readonly timeouts: number
  /** Claims that are cut off: sessions that end while their worker goes on, or stops. */
  readonly cuts: number
  /** Reindexes, each with an alias swap and the drop of the index before: 0 or 1. */
  readonly reindexes: 0 | 1
}

/** How a system does it: the shipped one, or a wrong one that differs from it in one point. */
export interface Order {
  readonly about: string
  /** Of a batch. The first is where an idle worker stands. */
  readonly steps: readonly Step[]
  /** `trigger`: drawn with the change; a batch takes the highest of its marks. */
  readonly version: 'batch' | 'trigger'
  /**
   * How the draw commits. `flushed`: its number is on the disk when it is answered. `if-written`: as a bare nextval with
   * synchronous_commit = on, which waits only where it has written a record itself; its commit is a step of its own
   * (`flush`). `lazy`: it waits for nothing.
   */
  readonly draw: 'flushed' | 'if-written' | 'lazy'
  /** `external_gte`, or none. */
  readonly versioned: boolean
  /** `deduplicated`: none is written where one is in the queue. */
  readonly queue: 'append-only' | 'deduplicated'
  /** Which transaction writes the mark: the change's, or one before it. */
  readonly mark: 'with-change' | 'before-change'
  readonly acknowledge: 'after-answer' | 'at-send'
  /** What a request without an answer is taken for. */
  readonly silence: 'unknown' | 'success'
  /** Whether the new index is a target before its walk begins. */
  readonly register: 'before-walk' | 'after-walk'
  /** Whether that registration waits for the disk. */
  readonly registration: 'flushed' | 'lazy'
  /** Whether the drop of an index waits for claims that are older than its retirement. */
  readonly drop: 'after-claims' | 'at-once'
  /** Whether the application's commits wait for the disk. Waiting allows less to happen than not waiting. */
  readonly application: 'lazy' | 'flushed'
}

export const shipped: Order = {
  about: 'claim, version, targets, load, send, settle: src/sync/batch.ts',
  steps: ['claim', 'draw', 'targets', 'load', 'send', 'answer'],
  version: 'batch',
  draw: 'flushed',
  versioned: true,
  queue: 'append-only',
  mark: 'with-change',
  acknowledge: 'after-answer',
  silence: 'unknown',
  register: 'before-walk',
  registration: 'flushed',
  drop: 'after-claims',
  application: 'lazy',
}

interface Scenario {
  readonly about: string
  readonly bounds: Bounds
}

/** What the shipped order is tried in. All in one would be tens of millions of states. */
export const scenarios = {
  'shipped-faults': {
    about: 'one index; a crash, a request without an answer and a claim that is cut off, in every order',
    bounds: { changes: 2, workers: 2, rows: 2, faults: 3, crashes: 1, timeouts: 1, cuts: 1, reindexes: 0 },
  },
  'shipped-reindex': {
    about: 'a reindex, with a request without an answer',
    bounds: { changes: 2, workers: 2, rows: 1, faults: 1, crashes: 0, timeouts: 1, cuts: 0, reindexes: 1 },
  },
  'shipped-reindex-crash': {
    about: 'a reindex, with two faults of different kinds',
    bounds: { changes: 1, workers: 2, rows: 1, faults: 2, crashes: 1, timeouts: 1, cuts: 1, reindexes: 1 },
  },
} as const satisfies Readonly<Record<string, Scenario>>
