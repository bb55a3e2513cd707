import { Suspects } from './suspects.ts'

/** What becomes of keys whose request got no answer. */
export interface Verdict {
  /** `give-back`: the claim is rolled back, where nothing of it was done yet; otherwise they are marked again behind the others. */
  readonly fate: 'give-back' | 'mark-again' | 'charge'
  /** Elasticsearch answered others just now, and this is a step of a search that ends: no reason to wait long. */
  readonly moving: boolean
}

interface Named {
  readonly key: string
}

interface Unanswered {
  /** Nothing smaller than this could be sent. */
  readonly alone: boolean
  /** The server says that it has too much to do: never a document's fault. */
  readonly busy: boolean
}

/** An answered request of so long ago still says that the server serves. */
const JUST_NOW_MS = 60_000

/**
 * What is known of a document's batches after requests that got no answer (invariant 11): whom to send apart, how many keys
 * may go into a batch, and whether a key that was sent alone is charged. It is, once something else got through since it
 * came under suspicion; without such a witness it may be the server after all (invariant 10). And where requests get lost
 * that had no cause among their keys, only when it is three times in a row: two lost in three are no dead letter then.
 *
 * A search that finds nobody means that the requests were too large for what is there: half a batch gets through in time and
 * a whole one not. Then batches hold as many keys as got through, and each answer doubles that, until they are full again.
 */
export class Confidence {
  readonly suspects: Suspects
  readonly #now: () => number
  #mostKeys = Number.POSITIVE_INFINITY
  #answeredAt = Number.NEGATIVE_INFINITY

  /** @param now monotonic clock, milliseconds */
  constructor(now: () => number) {
    this.#now = now
    this.suspects = new Suspects(now)
  }

  get mostKeys(): number {
    return this.#mostKeys
  }

  /** A request with these keys got no answer. */
  unanswered(among: readonly Named[], { alone, busy }: Unanswered): Verdict {
    const keys = namesOf(among)
    const { first, guilty } = this.suspects.unanswered(keys, { alone })
    if (first) return { fate: 'give-back', moving: false }
    const moving = this.#now() - this.#answeredAt < JUST_NOW_MS
    if (!guilty || busy) return { fate: 'mark-again', moving }
    this.suspects.charged(keys)
    return { fate: 'charge', moving }
  }

  /** All requests with these keys were answered. */
  answered(among: readonly Named[]): void {
    this.#answeredAt = this.#now()
    const most = this.suspects.answered(this.suspects.none ? [] : namesOf(among))
    if (most !== null) this.#mostKeys = Math.min(this.#mostKeys, most)
  }

  /** All requests of a batch were answered; `batchSize` is what a full one holds. */
  gotThrough(batchSize: number): void {
    const limited = this.#mostKeys * 2 < batchSize
    this.#mostKeys = limited ? this.#mostKeys * 2 : Number.POSITIVE_INFINITY
  }
}

function namesOf(keys: readonly Named[]): readonly string[] {
  return keys.map(({ key }) => key)
}
