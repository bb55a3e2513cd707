import type { Lane } from '../queue/types.ts'

/** Bulk work that has lasted longer beside single edits than this gives them way: 17,000 documents take 1.5 seconds. */
const BURST_MS = 2_000

/** Without a request for so long, bulk work has ended: what comes next is another burst. */
const PAUSE_MS = 250

interface BulkGateOptions {
  /** How many may be under way beside single edits, looked up whenever a request has ended. */
  readonly most: () => number
  /** How many, where nobody waits for anything else. */
  readonly limit: () => number
  /** Monotonic clock, milliseconds. */
  readonly now: () => number
}

/**
 * Lets so many requests of bulk work to Elasticsearch at once, and single edits always. A batch that waits here has been
 * claimed and loaded: bulk work that has one place at Elasticsearch goes on preparing for it meanwhile.
 *
 * A short burst (a fan-out: somebody waits for it, too) takes all places whenever no edit is at Elasticsearch, in requests
 * half as large; what lasts (a backfill, a large statement) leaves edits one for good. Measured on two cores, beside 50
 * edits a second (`npm run bench -- fan-out` and `bulk-vs-interactive`):
 *
 * | bulk work takes                     | fan-out | p99 of edits | large statement, a second | p99 of edits |
 * | ----------------------------------- | ------- | ------------ | ------------------------- | ------------ |
 * | one place                           | 2.2 s   | 80 ms        | 8,540                     | 114 ms       |
 * | all, while no edit is there         | 1.4 s   | 270 ms       |                           |              |
 * | all, in halves, while none is there | 1.5 s   | 133 ms       | 8,830                     | 207 ms       |
 */
export class BulkGate {
  readonly #options: BulkGateOptions
  #edits = 0
  #under = 0
  #waiting: (() => void)[] = []
  #burstBegan = Number.NEGATIVE_INFINITY
  #lastEnded = Number.NEGATIVE_INFINITY

  constructor(options: BulkGateOptions) {
    this.#options = options
  }

  async pass<T>(lane: Lane, send: () => Promise<T>): Promise<T> {
    if (lane === 0) return this.#passEdit(send)
    if (lane !== 1) return send()
    while (!this.#hasRoom()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#began()
    try {
      return await send()
    } finally {
      this.#under -= 1
      this.#lastEnded = this.#options.now()
      this.#wake()
    }
  }

  async #passEdit<T>(send: () => Promise<T>): Promise<T> {
    this.#edits += 1
    try {
      return await send()
    } finally {
      this.#edits -= 1
      this.#wake()
    }
  }

  /**
   * The bytes of the next request, of so many at most: half of them in a burst beside single edits, for with all places
   * taken an edit waits for the rest of a request.
   */
  bytes(lane: Lane, most: number): number {
    const { most: besideEdits, limit } = this.#options
    return lane === 1 && besideEdits() < limit() && this.#isBurst() ? Math.ceil(most / 2) : most
  }

  #hasRoom(): boolean {
    const { most, limit } = this.#options
    return this.#under < most() || (this.#edits === 0 && this.#isBurst() && this.#under < limit())
  }

  #isBurst(): boolean {
    return this.#options.now() - this.#burstBegan < BURST_MS
  }

  #began(): void {
    const now = this.#options.now()
    if (this.#under === 0 && now - this.#lastEnded >= PAUSE_MS) this.#burstBegan = now
    this.#under += 1
  }

  /** All of them: there may be more room than there was. */
  #wake(): void {
    for (const goOn of this.#waiting.splice(0)) goOn()
  }
}
