import type { Random } from './random.ts'
import { life } from './statements.ts'
import type { Statement } from './tables.ts'

/** Quiet keys alive at a time; each time one has had its last change, another one begins. */
const AT_ONCE = 30

/** Between two changes of a key: from "in the same batch" to "a stopped daemon has been overtaken". */
const SHORTEST_MS = 5
const LONGEST_MS = 200

interface Life {
  readonly changes: readonly Statement[]
  readonly dueAt: number
}

/**
 * Keys that live shortly and are then left alone: most faults lose one change of one key, and the next change of that key
 * would bring what was lost. So here, whatever change is lost stays lost, and the comparison finds it. The clients share
 * them: whoever is free makes the change that is due, so that two changes of a key come from different sessions.
 */
export class Lives {
  readonly #random: Random
  readonly #now: () => number
  #alive: Life[] = []
  #begun = 0

  constructor(random: Random, now: () => number) {
    this.#random = random
    this.#now = now
  }

  /** A change that is due, or null. It is handed out once, whatever comes of it. */
  next(): Statement | null {
    while (this.#alive.length < AT_ONCE) this.#begin()
    const now = this.#now()
    const at = this.#alive.findIndex(({ dueAt }) => dueAt <= now)
    const [due] = at < 0 ? [] : this.#alive.splice(at, 1)
    const [change, ...changes] = due?.changes ?? []
    if (change === undefined) return null
    if (changes.length > 0) this.#alive.push({ changes, dueAt: this.#after() })
    return change
  }

  #begin(): void {
    this.#begun += 1
    const changes = life(this.#random.fork(`life ${this.#begun}`), this.#begun)
    this.#alive.push({ changes, dueAt: this.#after() })
  }

  #after(): number {
    return this.#now() + this.#random.int(SHORTEST_MS, LONGEST_MS)
  }
}
