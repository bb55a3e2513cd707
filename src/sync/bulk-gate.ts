import type { Lane } from '../queue/types.ts'

/**
 * Lets so many requests of bulk work to Elasticsearch at once, and single edits always. A batch that waits here has been
 * claimed and loaded: bulk work that has one place at Elasticsearch goes on preparing for it meanwhile.
 */
export class BulkGate {
  readonly #most: () => number
  #under = 0
  #waiting: (() => void)[] = []

  /** @param most how many, looked up whenever one has ended */
  constructor(most: () => number) {
    this.#most = most
  }

  async pass<T>(lane: Lane, send: () => Promise<T>): Promise<T> {
    if (lane !== 1) return send()
    while (this.#under >= this.#most()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#under += 1
    try {
      return await send()
    } finally {
      this.#under -= 1
      // All of them: there may be more room than there was.
      for (const goOn of this.#waiting.splice(0)) goOn()
    }
  }
}
