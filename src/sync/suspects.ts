interface Named {
  readonly key: string
}

/** Keys of a request that got no answer, for as long as it is not known which of them was the cause. */
interface Group {
  readonly keys: Set<string>
  /** Of the request that it began with. */
  readonly first: number
  /** Requests without an answer, one after the other, that led to these keys. */
  readonly losses: number
  /** Requests without an answer that held nothing else, since the last one that was charged. */
  alone: number
  /** Whether it was charged already. */
  charged: boolean
  /** Part of the last request without an answer has been answered since: what is left holds the cause. */
  narrowed: boolean
  /** Of the requests with some of these keys that were answered, the keys of the largest. */
  largest: number
  /** Keys that the search has passed by: they are sent together when it has ended. */
  readonly rest: Set<string>
  restUntil: number
  lostAt: number
  /** How many answers there had been when it began. */
  startedAt: number
}

/** A request without an answer, and what is known by it. */
interface Loss {
  /** The first for its keys: it may be the network, or the server after all. */
  readonly first: boolean
  /** It was these keys' own fault, as far as anybody can tell. */
  readonly guilty: boolean
}

/**
 * Keys that the search has passed by wait so long, at most, for its end, milliseconds. Sent with each step they would cost a
 * request each; a step lasts REQUEST_TIMEOUT, though, where it is silence that is waited for.
 */
const REST_MS = 20_000

/** An answer counts as a witness for a server's health for this long after a request that got none. */
const EPISODE_MS = 10 * 60_000

/** Where the network loses requests of which nobody was the cause, so many in a row of a document alone are one charge. */
const LOST_ALONE = 3

/** Keys are under suspicion for this long. Retries of a document that was charged are ten minutes apart at most. */
const FORGET_MS = 60 * 60_000

/**
 * Whom requests without an answer may be due to, and what to send to find out (invariant 11).
 *
 * The keys of a request that got no answer come again as two thirds and one third. Both get through: it was the network.
 * One does not: the cause is in it, and it is halved from then on, one half sent at a time: where it gets through, the
 * cause is in the other one. What the search has passed by is sent at its end, in one request. So one among 660 takes at most
 * 12 requests beside the one that began it, the first attempt and that for the rest included. Two thirds and one, not halves:
 * the second part costs one request more, for it has to prove its guilt.
 *
 * What is known is of use to whoever has these keys in a batch, and binds nobody: they may be claimed by another daemon, or
 * come in parts.
 */
export class Suspects {
  readonly #now: () => number
  readonly #groups = new Set<Group>()
  readonly #suspected = new Map<string, Group>()
  readonly #waiting = new Map<string, Group>()
  #answers = 0
  #unexplainedAt = Number.NEGATIVE_INFINITY

  /** @param now monotonic clock, milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  get none(): boolean {
    return this.#groups.size === 0
  }

  /**
   * Which of these keys to send next, and how many of them in one request, at most: those that nobody suspects; when there are
   * none, as many of some suspects as tell most.
   */
  next<Key extends Named>(keys: readonly Key[]): { readonly among: readonly Key[]; readonly most: number } {
    this.#forget()
    const here = new Set<Group>()
    for (const { key } of keys) {
      const group = this.#suspected.get(key)
      if (group !== undefined) here.add(group)
    }
    const [group] = here
    const anyNumber = Number.POSITIVE_INFINITY
    if (group === undefined) return { among: keys, most: anyNumber }
    const others = keys.filter(({ key }) => !this.#suspected.has(key) && !this.#waitsFor(key, here))
    if (others.length > 0) return { among: others, most: anyNumber }
    return { among: keys.filter(({ key }) => group.keys.has(key)), most: this.#testSize(group) }
  }

  /**
   * A request with these keys got no answer.
   * @param alone nothing smaller can be sent
   */
  unanswered(keys: readonly string[], { alone }: { readonly alone: boolean }): Loss {
    const now = this.#now()
    const [firstKey] = keys
    const known = firstKey === undefined ? undefined : this.#suspected.get(firstKey)
    const group =
      known !== undefined && keys.every((key) => known.keys.has(key))
        ? this.#narrow(known, keys)
        : this.#suspect(keys)
    // What got through before such a time says nothing of the server now.
    if (now - group.lostAt >= EPISODE_MS) group.startedAt = this.#answers
    group.lostAt = now
    const first = group.losses === 1
    if (!alone) return { first, guilty: false }
    group.alone += 1
    this.#release(group)
    const needed = this.#isLossy ? LOST_ALONE : 1
    return { first, guilty: !first && this.#answers > group.startedAt && group.alone >= needed }
  }

  /** A guilty one was charged: from now on it is sent apart, and each request without an answer counts anew. */
  charged([key]: readonly string[]): void {
    const group = key === undefined ? undefined : this.#suspected.get(key)
    if (group === undefined) return
    group.alone = 0
    group.charged = true
  }

  /**
   * A request with these keys was answered. Where that acquits all of a search that began with more than could be sent at once:
   * how many of them that was at most; otherwise null.
   */
  answered(keys: readonly string[]): number | null {
    this.#answers += 1
    let most: number | null = null
    const sizes = new Map<Group, number>()
    for (const key of keys) {
      this.#waiting.get(key)?.rest.delete(key)
      this.#waiting.delete(key)
      const group = this.#suspected.get(key)
      if (group === undefined) continue
      this.#suspected.delete(key)
      group.keys.delete(key)
      sizes.set(group, (sizes.get(group) ?? 0) + 1)
    }
    for (const [group, size] of sizes) {
      group.narrowed = true
      group.largest = Math.max(group.largest, size)
      if (group.keys.size > 0) continue
      this.#drop(group)
      this.#unexplainedAt = this.#now()
      const smaller = group.losses > 1 && !group.charged && group.largest < group.first
      if (smaller) most = Math.min(most ?? group.largest, group.largest)
    }
    return most
  }

  #suspect(keys: readonly string[]): Group {
    for (const key of keys) this.#remove(key)
    const group: Group = {
      keys: new Set(keys),
      first: keys.length,
      losses: 1,
      alone: 0,
      charged: false,
      narrowed: false,
      largest: 0,
      rest: new Set(),
      restUntil: 0,
      lostAt: this.#now(),
      startedAt: this.#answers,
    }
    this.#add(group)
    return group
  }

  /** The cause is among these keys of the group. */
  #narrow(known: Group, keys: readonly string[]): Group {
    this.#drop(known)
    const now = this.#now()
    const rest = new Set([...known.rest, ...known.keys])
    for (const key of keys) rest.delete(key)
    const restUntil = known.rest.size === 0 ? now + REST_MS : known.restUntil
    const group = {
      ...known,
      keys: new Set(keys),
      losses: known.losses + 1,
      narrowed: false,
      rest,
      restUntil,
    }
    this.#add(group)
    return group
  }

  #waitsFor(key: string, groups: ReadonlySet<Group>): boolean {
    const group = this.#waiting.get(key)
    return group !== undefined && groups.has(group)
  }

  #add(group: Group): void {
    this.#groups.add(group)
    for (const key of group.keys) this.#suspected.set(key, group)
    for (const key of group.rest) this.#waiting.set(key, group)
  }

  #drop(group: Group): void {
    this.#groups.delete(group)
    for (const key of group.keys) this.#suspected.delete(key)
    for (const key of group.rest) this.#waiting.delete(key)
  }

  #remove(key: string): void {
    this.#waiting.get(key)?.rest.delete(key)
    this.#waiting.delete(key)
    const group = this.#suspected.get(key)
    if (group === undefined) return
    this.#suspected.delete(key)
    group.keys.delete(key)
    if (group.keys.size === 0) this.#drop(group)
  }

  #release(group: Group): void {
    for (const key of group.rest) this.#waiting.delete(key)
    group.rest.clear()
  }

  #forget(): void {
    const now = this.#now()
    for (const group of this.#groups) {
      if (now - group.lostAt >= FORGET_MS) this.#drop(group)
      else if (now >= group.restUntil) this.#release(group)
    }
  }

  /** Not long ago requests got no answer, and nobody was the cause. */
  get #isLossy(): boolean {
    return this.#now() - this.#unexplainedAt < EPISODE_MS
  }

  /** How many of the keys to send together. */
  #testSize({ keys: { size }, losses, narrowed }: Group): number {
    const halved = Math.ceil(size / 2)
    // The second part is sent whole where it has not been without an answer itself, or where that would not mean much.
    if (narrowed && (losses === 1 || this.#isLossy)) return size
    return losses > 1 ? halved : Math.min(Math.max(1, size - 1), Math.ceil((size * 2) / 3))
  }
}
