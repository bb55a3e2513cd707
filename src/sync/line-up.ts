import { type AddressedKey, nextSlice } from './addressed.ts'
import type { Suspects } from './suspects.ts'

/**
 * The keys of a batch in the order in which they are sent: in slices, those first that nobody suspects of a request without
 * an answer; then suspects, apart from all others (see Suspects). What is under suspicion changes with each answer.
 */
export class LineUp {
  readonly #suspects: Suspects
  #left: readonly AddressedKey[]
  #start = 0

  constructor(suspects: Suspects, keys: readonly AddressedKey[]) {
    this.#suspects = suspects
    this.#left = keys
  }

  /** Keys that were not taken. */
  get left(): readonly AddressedKey[] {
    return this.#left.slice(this.#start)
  }

  /** About `most` keys to send next, or none. */
  next(most: number): readonly AddressedKey[] {
    if (this.#suspects.none) {
      const slice = nextSlice(this.#left, this.#start, most)
      this.#start += slice.length
      return slice
    }
    const { left } = this
    const { among, most: tellMost } = this.#suspects.next(left)
    const slice = nextSlice(among, 0, Math.min(most, tellMost))
    const taken = new Set(slice)
    this.#left = left.filter((key) => !taken.has(key))
    this.#start = 0
    return slice
  }
}

/** Keys of one document: less cannot be sent. */
export function isAlone(slice: readonly AddressedKey[]): boolean {
  return slice.every(({ id }) => id === slice[0]?.id)
}
