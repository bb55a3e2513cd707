import { olderChangesAnswered } from './barrier.ts'
import { type LookOptions, lookAt, type Observation } from './compare-look.ts'
import { type Place, placeName, withIndex } from './compare-places.ts'
import type { RunWork } from './context.ts'
import type { Run } from './types.ts'

/** What differs for certain. */
export type Confirmed = Observation

/** Places that are looked at again together: few enough to keep, enough to share the wait. */
const BATCH = 10_000

/**
 * Looks before a document counts as changing all the time. Each comes after everything older was answered, so that one
 * which differs in all of them was written between any two.
 */
const MOST_LOOKS = 8

/** Looks in a row in which a document has to be absent. */
const ABSENT_LOOKS = 3

/**
 * Places where something seemed to differ, and the second look at them: it says which differ for certain, however busy the
 * system is.
 *
 * A look reads the document first and the row after it. Between two looks everything committed before the first has been
 * answered (barrier.ts). If the document has the same version in both, nothing wrote it in between, although the
 * change that made the row what the first look saw was answered: so it was not what the row was, and that is no change on
 * its way. Versions only grow, so a value that comes and goes deceives nobody: a document that was written between
 * the looks has another version, and is looked at again.
 *
 * What is absent has no version: a row may have been deleted and inserted again. So it has to be absent three times in a
 * row, each with its row there and all older changes answered.
 *
 * Rounds follow each other; whoever adds waits for the one that is full. Memory is that of one.
 */
export class Suspects {
  readonly #work: RunWork
  readonly #run: Run
  readonly options: SuspectsOptions
  #waiting = new Map<string, Place>()
  #rounds: Promise<void> = Promise.resolve()
  #changing = 0
  #impatient = false

  constructor(work: RunWork, run: Run, options: SuspectsOptions) {
    this.#work = work
    this.#run = run
    this.options = options
  }

  /** Documents that never stood still. */
  get changing(): number {
    return this.#changing
  }

  /** True once older changes were still unanswered when patience ended: what differs may be on its way. */
  get impatient(): boolean {
    return this.#impatient
  }

  async add(places: readonly Place[]): Promise<void> {
    for (const place of places) this.#waiting.set(placeName(place), place)
    if (this.#waiting.size >= BATCH) await this.settle()
  }

  /** Looks again at all that were added. */
  async settle(): Promise<void> {
    const places = [...this.#waiting.values()]
    this.#waiting = new Map()
    this.#rounds = this.#rounds.then(() => this.#round(places))
    await this.#rounds
  }

  async #round(places: readonly Place[]): Promise<void> {
    let left = places
    let before = new Map<string, Seen>()
    for (let number = 1; left.length > 0; number++) {
      await this.#wait()
      const observed = await this.#look(left)
      const confirmed: Observation[] = []
      const doubtful: Place[] = []
      const seen = new Map<string, Seen>()
      for (const observation of observed) {
        const { place, version, kind } = observation
        const name = placeName(place)
        const earlier = before.get(name)
        const same = earlier !== undefined && earlier.version === version
        const times = same ? earlier.times + 1 : 1
        if (times >= (kind === 'missing' ? ABSENT_LOOKS : 2)) confirmed.push(observation)
        else {
          doubtful.push(place)
          seen.set(name, { version, times })
        }
      }
      if (confirmed.length > 0) await this.options.confirmed(confirmed)
      if (number === MOST_LOOKS) {
        this.#changing += doubtful.length
        return
      }
      left = doubtful
      before = seen
    }
  }

  /** Once patience has ended it is not asked for again: what cannot be answered now would hold up every round. */
  async #wait(): Promise<void> {
    const patienceMs = this.#impatient ? 0 : this.options.patienceMs
    if (!(await olderChangesAnswered(this.#work, this.#run, patienceMs))) this.#impatient = true
  }

  async #look(places: readonly Place[]): Promise<readonly Observation[]> {
    const { pool, schema, plan } = this.#work
    const observed: Observation[] = []
    const present = await withIndex(pool, schema, plan, places)
    for await (const some of lookAt(this.#work, present, this.options)) observed.push(...some)
    return observed
  }
}

export interface SuspectsOptions extends LookOptions {
  /** How long to wait for older changes, in milliseconds. */
  readonly patienceMs: number
  readonly confirmed: (observations: readonly Confirmed[]) => Promise<void>
}

interface Seen {
  readonly version: string | null
  readonly times: number
}
