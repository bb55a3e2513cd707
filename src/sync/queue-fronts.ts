import { type LaneFront, type Look, wholeLanes } from '../queue/pending-lanes.ts'
import type { Lane } from '../queue/types.ts'

/** Looks from the beginning take one part in so many of the time at most. */
const SHARE = 10

/** A transaction that takes an id and commits within this time is never behind the front. */
const MARGIN_MS = 1_000

/** The longest time from one look from the beginning to the next, whatever it took. */
const LONGEST_MS = 30_000

/**
 * Where each lane of the queue begins: the id of its first mark. While an old snapshot is held (a dump, a report, a forgotten
 * session), vacuum removes no claimed mark, and whoever begins at the beginning of a lane walks over all that have died
 * since: a million of them in some minutes, half a second for each claim and each poll.
 *
 * So looks and claims begin at the first mark that the last look saw, or at the last id of a second ago, whichever is
 * lower; for ids commit in another order than they were taken. Only looks from the beginning move a front back: for a mark
 * whose transaction took longer than that, or that a crash of Postgres brings back. They come as often as they are cheap,
 * every time where nothing is dead, and at the latest after half a minute.
 */
export class QueueFronts {
  readonly #now: () => number
  readonly #fronts = new Map<string, bigint>()
  /** The last id of a look, and that of one at least MARGIN_MS before it. */
  #latest = { at: Number.NEGATIVE_INFINITY, id: 0n }
  #passed = 0n
  #wholeAt = Number.NEGATIVE_INFINITY

  /** @param now monotonic clock, milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /** The lanes with marks, as `read` finds them from the fronts on. */
  async look(
    documents: readonly string[],
    read: (lanes: readonly LaneFront[]) => Promise<Look>,
  ): Promise<readonly LaneFront[]> {
    const began = this.#now()
    const whole = began >= this.#wholeAt
    const all = wholeLanes(documents)
    const { lanes, lastId } = await read(
      whole ? all : all.map((one) => ({ ...one, front: this.of(one.document, one.lane) })),
    )
    const ended = this.#now()
    if (whole) this.#wholeAt = ended + Math.min(LONGEST_MS, SHARE * (ended - began))
    if (lastId !== null && began - this.#latest.at >= MARGIN_MS) {
      this.#passed = this.#latest.id
      this.#latest = { at: ended, id: lastId }
    }
    const passed = this.#passed
    for (const { document, lane } of all) this.#fronts.set(nameOf(document, lane), passed)
    for (const { document, lane, front } of lanes) {
      if (front < passed) this.#fronts.set(nameOf(document, lane), front)
    }
    return lanes
  }

  /** The id before which nothing is sought in a lane. */
  of(document: string, lane: Lane): bigint {
    return this.#fronts.get(nameOf(document, lane)) ?? 0n
  }

  /** Postgres was away: what it had committed last may be undone, and marks that were gone are there again. */
  forget(): void {
    this.#fronts.clear()
    this.#latest = { at: Number.NEGATIVE_INFINITY, id: 0n }
    this.#passed = 0n
    this.#wholeAt = Number.NEGATIVE_INFINITY
  }
}

const nameOf = (document: string, lane: Lane): string => `${lane} ${document}`
