import { LAG_BOUNDS_MS } from '../queue/lag-bounds.ts'
import type { LogEntry } from '../queue/types.ts'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/**
 * Outcomes added up: per index, operation and outcome for `sync_log`, and the lag histogram for `sync_rollup`.
 * A batch has one of its own; the worker adds it to what is not written yet once the batch is committed, and
 * writes at most one row a second for each (a row per batch would be a hundred a second on an idle afternoon).
 */
export class Tally {
  readonly #entries = new Map<string, Mutable<LogEntry>>()
  readonly #lagCounts: number[] = LAG_BOUNDS_MS.map(() => 0).concat(0)
  #batches = 0
  /** The entry that was counted last: most of a batch have the same outcome. */
  #last: Mutable<LogEntry> | null = null

  get empty(): boolean {
    return this.#entries.size === 0
  }

  /** Whether Elasticsearch has, by now, what was meant for it: of one operation at least. */
  get anyDone(): boolean {
    return this.entries.some(({ outcome }) => outcome === 'done' || outcome === 'superseded')
  }

  /** Totals for `sync_log`. */
  get entries(): readonly LogEntry[] {
    return [...this.#entries.values()]
  }

  /** Element n counts keys answered within LAG_BOUNDS_MS[n] milliseconds, the last one all slower. */
  get lagCounts(): readonly number[] {
    return this.#lagCounts
  }

  get batches(): number {
    return this.#batches
  }

  /** Counts one operation. `lagMs`: from the mark to the answer, or to the moment it was parked. */
  add(
    what: Pick<LogEntry, 'index' | 'operation' | 'outcome'>,
    bytes: number,
    lagMs: number,
    tookMs: number,
  ): void {
    const entry = this.#entry(what)
    entry.count += 1
    entry.bytes += bytes
    entry.lagSumMs += lagMs
    entry.tookMs += tookMs
    // What waits for an index, or for somebody's decision, has no answer yet.
    if (what.outcome === 'blocked') return
    const bound = LAG_BOUNDS_MS.findIndex((limit) => lagMs <= limit)
    const slot = bound === -1 ? LAG_BOUNDS_MS.length : bound
    this.#lagCounts[slot] = (this.#lagCounts[slot] ?? 0) + 1
  }

  countBatch(): void {
    this.#batches += 1
  }

  /** Adds everything another tally holds. */
  merge(other: Tally): void {
    for (const added of other.entries) {
      const entry = this.#entry(added)
      entry.count += added.count
      entry.bytes += added.bytes
      entry.lagSumMs += added.lagSumMs
      entry.tookMs += added.tookMs
    }
    other.lagCounts.forEach((count, n) => {
      this.#lagCounts[n] = (this.#lagCounts[n] ?? 0) + count
    })
    this.#batches += other.batches
  }

  #entry(what: Pick<LogEntry, 'index' | 'operation' | 'outcome'>): Mutable<LogEntry> {
    const last = this.#last
    if (last?.outcome === what.outcome && last.operation === what.operation && last.index === what.index) {
      return last
    }
    const name = `${what.operation} ${what.outcome} ${what.index}`
    let entry = this.#entries.get(name)
    if (entry === undefined) {
      const { index, operation, outcome } = what
      entry = { index, operation, outcome, count: 0, bytes: 0, lagSumMs: 0, tookMs: 0 }
      this.#entries.set(name, entry)
    }
    this.#last = entry
    return entry
  }
}
