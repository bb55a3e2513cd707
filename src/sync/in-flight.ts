/** Batches that have to be answered in a row before one more may be in flight. */
const RISE_AFTER = 20

/**
 * How many batches of a daemon may be in flight: additive increase, multiplicative decrease (D.-M. Chiu and R. Jain,
 * 1989), so that daemons which know nothing of each other come to a rate that Elasticsearch can bear. Halved by each
 * answer that says "too busy", one more after twenty good ones, never below one and never above `most`.
 */
export class InFlight {
  readonly #most: number
  #limit: number
  #count = 0
  #good = 0

  /** @param most CONCURRENCY */
  constructor(most: number) {
    this.#most = most
    this.#limit = most
  }

  /** Whether another batch may begin now. */
  get isFree(): boolean {
    return this.#count < this.#limit
  }

  began(): void {
    this.#count += 1
  }

  ended(): void {
    this.#count -= 1
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

const BUSY: ReadonlySet<string> = new Set([
  'rejected_execution_exception',
  'circuit_breaking_exception',
  'http_429',
])

/** Whether an obstacle says that Elasticsearch has more to do than it can: fewer requests will help. */
export function isTooBusy({ type }: { readonly type: string }): boolean {
  return BUSY.has(type)
}
