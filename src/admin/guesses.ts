/** Of one address. Whoever mistypes a token does so a few times; a scraper with an old one is refused either way. */
const MOST = 60
const WINDOW_MS = 60_000

/** Addresses that are remembered: a megabyte. */
const MOST_ADDRESSES = 10_000

/**
 * Wrong tokens by address, by whatever method they came. After sixty within a minute no token of that address is looked at
 * until the minute is over, the right one neither: an answer of its own would say which it is. Clocks are the caller's.
 */
export class Guesses {
  readonly #byAddress = new Map<string, { count: number; readonly endsAt: number }>()

  /** Seconds until tokens of this address are looked at again; 0: they are. */
  waitSeconds(address: string, nowMs: number): number {
    const known = this.#byAddress.get(address)
    if (known === undefined || known.count < MOST || known.endsAt <= nowMs) return 0
    return Math.ceil((known.endsAt - nowMs) / 1000)
  }

  /** It was wrong. */
  note(address: string, nowMs: number): void {
    const known = this.#byAddress.get(address)
    if (known !== undefined && known.endsAt > nowMs) {
      known.count += 1
      return
    }
    // Anew at the end, so that the first one is always the oldest.
    this.#byAddress.delete(address)
    this.#byAddress.set(address, { count: 1, endsAt: nowMs + WINDOW_MS })
    if (this.#byAddress.size > MOST_ADDRESSES) this.#forgetOldest()
  }

  #forgetOldest(): void {
    const [oldest] = this.#byAddress.keys()
    if (oldest !== undefined) this.#byAddress.delete(oldest)
  }
}
