import type { Limits } from '../config/types.ts'
import type { Lane } from '../queue/types.ts'

/** Places for single edits above the limit. */
const EDIT_PLACES = 2

/**
 * Most batches of a daemon in flight: CONCURRENCY, and two of single edits (one with a CONCURRENCY of 1). Each holds two
 * connections to Postgres.
 */
export function batchesInFlight({ concurrency }: Pick<Limits, 'concurrency'>): number {
  return concurrency + Math.min(EDIT_PLACES, concurrency)
}

/**
 * A batch of single edits that takes so long is stuck, and others need not wait for it: beside bulk work its thread in
 * Elasticsearch may have to write a segment of thousands of documents, for half a second or more. Most take 20 ms then, one
 * in ten 35 (`npm run bench -- bulk-vs-interactive`).
 */
const STUCK_MS = 50

/** Single edits count as present for this long after the last batch of them began. */
const PRESENT_MS = 1_000

/** Batches that have to be answered in a row before one more may be in flight. */
const RISE_AFTER = 20

/**
 * How many batches of a daemon may be in flight: additive increase, multiplicative decrease (D.-M. Chiu and R. Jain,
 * 1989), so that daemons which know nothing of each other come to a rate that Elasticsearch can bear. Halved by each
 * answer that says "too busy", one more after twenty good ones, never below one and never above `most`. One batch of
 * single edits may always be in flight besides, and a second one while that is stuck.
 */
export class InFlight {
  readonly #most: number
  readonly #now: () => number
  #limit: number
  #interactive = 0
  #others = 0
  #lastInteractive = Number.NEGATIVE_INFINITY
  #good = 0

  /**
   * @param most CONCURRENCY
   * @param now monotonic clock, milliseconds
   */
  constructor(most: number, now: () => number) {
    this.#most = most
    this.#now = now
    this.#limit = most
  }

  /**
   * Whether a batch of this lane may begin now. Single edits have a place above the limit: with bulk batches in all
   * others, an edit would wait for the end of one.
   */
  isFree(lane: Lane): boolean {
    if (this.#interactive + this.#others < this.#limit) return true
    if (lane !== 0) return false
    if (this.#interactive === 0) return true
    const stuck = this.#now() - this.#lastInteractive >= STUCK_MS
    return stuck && this.#interactive < Math.min(EDIT_PLACES, this.#limit)
  }

  /** Batches in flight by kind, and the limit of the moment. */
  get counts(): { readonly interactive: number; readonly bulk: number; readonly limit: number } {
    return { interactive: this.#interactive, bulk: this.#others, limit: this.#limit }
  }

  began(lane: Lane): void {
    if (lane === 0) {
      this.#interactive += 1
      this.#lastInteractive = this.#now()
    } else this.#others += 1
  }

  /**
   * How many requests of bulk work may be at Elasticsearch at once: it has a writing thread for each core, and while there
   * are single edits, one of several is theirs.
   */
  get bulkRequests(): number {
    const edits = this.#now() - this.#lastInteractive < PRESENT_MS
    return edits ? Math.max(1, this.#limit - 1) : this.#limit
  }

  ended(lane: Lane): void {
    if (lane === 0) this.#interactive -= 1
    else this.#others -= 1
  }

  /** A batch was answered without complaint. */
  answered(): void {
    if (this.#limit === this.#most) return
    this.#good += 1
    if (this.#good < RISE_AFTER) return
    this.#good = 0
    this.#limit += 1
  }

  /** Elasticsearch was too busy for (some of) a batch. */
  refused(): void {
    this.#good = 0
    this.#limit = Math.max(1, Math.floor(this.#limit / 2))
  }
}

/** 429, and 503: a shard that is away or full has its requests queue up. And a pooler that has too few connections. */
const BUSY: ReadonlySet<string> = new Set([
  'rejected_execution_exception',
  'circuit_breaking_exception',
  'http_429',
  'unavailable_shards_exception',
  'no_shard_available_action_exception',
  'http_503',
  'pool_exhausted',
])

/** Whether an obstacle says that a server has more to do than it can: fewer at a time will help. */
export function isTooBusy({ type }: { readonly type: string }): boolean {
  return BUSY.has(type)
}
