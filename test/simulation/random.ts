/** Everything random in a run comes from here, in the order in which it is asked for: the same seed is the same run. */
export class Random {
  #state: number

  constructor(seed: number) {
    // Neighbouring seeds have unlike beginnings.
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0
    for (let n = 0; n < 4; n++) this.next()
  }

  /** In [0, 1): mulberry32 (Tommy Ettinger), good enough to choose by, and a few nanoseconds. */
  next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from `from` to `to`, both included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1))
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  pick<T>(some: readonly T[]): T {
    const one = some[Math.floor(this.next() * some.length)]
    if (one === undefined) throw new Error('nothing to pick from')
    return one
  }
}
