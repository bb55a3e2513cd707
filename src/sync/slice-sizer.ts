import { bodyBytes } from '../elasticsearch/bulk.ts'
import type { Operation } from '../elasticsearch/types.ts'

/**
 * First guess of a document's size in bytes, before any was seen: four keys a MiB. A guess too large costs four short
 * round trips in the daemon's life, for each document; with one of 16 kB, the first slices of rows of 1 MB
 * were two of 64 MB, and that was the peak of the daemon's memory.
 */
const FIRST_GUESS = 256 * 1024

/**
 * How many keys to load at once, so that their documents fill one request and memory stays bounded:
 * 1,000 rows of 1 MB must never be in memory together (invariant 11). Starts small, follows what it sees,
 * upwards at once and downwards by a factor of four at most, because large rows hurt and small ones only cost a round
 * trip. (By two, one poison document in a thousand took 23 bulk requests where this takes 20.)
 */
export class SliceSizer {
  #bytesPerKey = FIRST_GUESS

  /** Keys whose documents come to about `budget` bytes; at least one. */
  keys(budget: number): number {
    return Math.max(1, Math.floor(budget / this.#bytesPerKey))
  }

  observe(keys: number, operations: readonly Pick<Operation, 'kind' | 'body'>[]): void {
    if (keys === 0) return
    const bytes = operations.reduce((sum, operation) => sum + bodyBytes(operation), 0)
    // Deletes have no body: an action line is about 120 bytes.
    const observed = Math.max(bytes / keys, 120)
    this.#bytesPerKey = Math.max(observed, this.#bytesPerKey / 4)
  }
}
