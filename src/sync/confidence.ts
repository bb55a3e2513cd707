/** An answer counts as a witness for a server's health for this long after a request that got none. */
const EPISODE_MS = 10 * 60_000

/**
 * How many keys of a document may go into one batch, after requests that got no answer (invariant 11).
 *
 * *Full* until two requests in a row got none although Elasticsearch answered a probe in between: then something
 * in the batch may be at fault. *Suspicious*: each further one halves the batch, each answer doubles it, until it is
 * full again. Down to one key, that key is *alone*: an unanswered request no longer rolls the claim back, which
 * would put the key to the head of the queue again, but marks it anew, behind the others. It is charged an attempt
 * once something else got through in the same episode; without such a witness it may be the server after all
 * (invariant 10).
 */
export class Confidence {
  readonly #now: () => number
  #inARow = 0
  #mostKeys = Number.POSITIVE_INFINITY
  #witness = false
  #lastUnansweredAt = Number.NEGATIVE_INFINITY

  /** @param now monotonic clock, milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  get mostKeys(): number {
    return this.#mostKeys
  }

  /** What to do with a single key whose request gets no answer: null where the batch is simply given back. */
  get alone(): 'mark-again' | 'charge' | null {
    if (this.#mostKeys > 1) return null
    return this.#witness ? 'charge' : 'mark-again'
  }

  /** A request of a batch of this many keys got no answer. */
  unanswered(keys: number): void {
    if (!this.#inEpisode) this.#witness = false
    this.#lastUnansweredAt = this.#now()
    this.#inARow += 1
    if (this.#inARow >= 2) this.#mostKeys = Math.max(1, Math.floor(Math.min(keys, this.#mostKeys) / 2))
  }

  /** A batch was answered; `batchSize` is what a full one holds. */
  answered(batchSize: number): void {
    // One of an earlier episode is forgotten when the next one begins.
    this.#witness = true
    const suspicious = this.#mostKeys * 2 < batchSize
    this.#mostKeys = suspicious ? this.#mostKeys * 2 : Number.POSITIVE_INFINITY
    // While under suspicion, the next unanswered request halves at once.
    this.#inARow = suspicious ? 1 : 0
  }

  get #inEpisode(): boolean {
    return this.#now() - this.#lastUnansweredAt < EPISODE_MS
  }
}
