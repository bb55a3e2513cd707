import type { Random } from './random.ts'

/** Who does something: a daemon's life, an application's transaction, the network. */
export interface Actor {
  readonly name: string
  /** What a dead one was about to do never happens. */
  alive: boolean
  /** It does nothing before this moment: a process that is stopped, or starved. */
  stalledUntil: number
}

export const actor = (name: string): Actor => ({ name, alive: true, stalledUntil: 0 })

export interface StepOptions {
  /** From now to when it may happen, milliseconds; default: what `delay` says. */
  readonly afterMs?: number
  /** Whether it can happen: a lock is free. Looked at each time. */
  readonly ready?: () => boolean
  /** Whether nobody waits for it any more: it is forgotten. */
  readonly abandoned?: () => boolean
}

/** Where the code under test waits. What runs it decides when it goes on. */
export interface Stepper {
  readonly now: () => number
  /** `effect` happens at one moment, later, and settles the promise. */
  step<T>(who: Actor, what: string | (() => string), effect: () => T, options?: StepOptions): Promise<T>
  sleep(who: Actor, ms: number): Promise<void>
}

interface Pending {
  readonly who: Actor
  readonly what: string | (() => string)
  readonly due: number
  readonly ready: (() => boolean) | undefined
  readonly abandoned: (() => boolean) | undefined
  readonly happen: () => string
}

/** What is this near together may happen in any order, milliseconds. */
const TOGETHER_MS = 4

/** Runs everything there is, one step after the other, in an order that the seed chooses; time passes as the steps say. */
export class Scheduler implements Stepper {
  readonly #random: Random
  readonly #delay: () => number
  readonly #trace: ((line: string) => void) | null
  #pending: Pending[] = []
  #now = 1_700_000_000_000
  readonly #begun = this.#now
  #steps = 0

  /** @param delay of a step for which none is stated, milliseconds */
  constructor(random: Random, delay: () => number, trace: ((line: string) => void) | null) {
    this.#random = random
    this.#delay = delay
    this.#trace = trace
  }

  now = (): number => this.#now

  get steps(): number {
    return this.#steps
  }

  /** Milliseconds since the run began. */
  get elapsedMs(): number {
    return this.#now - this.#begun
  }

  step<T>(
    who: Actor,
    what: string | (() => string),
    effect: () => T,
    { afterMs, ready, abandoned }: StepOptions = {},
  ): Promise<T> {
    const due = this.#now + (afterMs ?? this.#delay())
    return new Promise<T>((resolve, reject) => {
      const happen = () => {
        try {
          const result = effect()
          resolve(result)
          return ''
        } catch (error) {
          reject(error)
          return ` ✘ ${error instanceof Error ? error.message : String(error)}`
        }
      }
      this.#pending.push({ who, what, due, ready, abandoned, happen })
    })
  }

  async sleep(who: Actor, ms: number): Promise<void> {
    await this.step(who, 'wakes up', () => undefined, { afterMs: ms })
  }

  /** Something that is no step but has happened. */
  note(text: string): void {
    if (this.#trace !== null) this.#trace(`${' '.repeat(22)}${text}`)
  }

  /** Steps until `done`; false when nothing can happen any more, or `most` steps did not do. */
  async run(done: () => boolean, most: number): Promise<boolean> {
    for (let n = 0; n < most; n++) {
      if (done()) return true
      const next = this.#take()
      if (next === null) return false
      this.#now = Math.max(this.#now, dueOf(next))
      this.#steps += 1
      const failed = next.happen()
      if (this.#trace !== null && next.what !== 'wakes up') {
        const at = ((this.#now - this.#begun) / 1000).toFixed(3).padStart(9)
        const what = typeof next.what === 'string' ? next.what : next.what()
        this.#trace(`${String(this.#steps).padStart(6)} ${at} s  ${next.who.name}: ${what}${failed}`)
      }
      // All that follows from it, up to where each goes on waiting.
      await new Promise(setImmediate)
    }
    return false
  }

  #take(): Pending | null {
    this.#pending = this.#pending.filter(({ who, abandoned }) => who.alive && abandoned?.() !== true)
    let first = Number.POSITIVE_INFINITY
    const able = this.#pending.filter(({ ready }) => ready === undefined || ready())
    for (const one of able) first = Math.min(first, dueOf(one))
    const near = Math.max(first, this.#now) + TOGETHER_MS
    const chosen = able.filter((one) => dueOf(one) <= near)
    if (chosen.length === 0) return null
    const one = this.#random.pick(chosen)
    this.#pending.splice(this.#pending.indexOf(one), 1)
    return one
  }
}

function dueOf({ due, who }: Pending): number {
  return Math.max(due, who.stalledUntil)
}

/** Everything at once, for a test of the fakes alone: what waits for a lock as soon as it can, what has to wait for a time never. */
export class AtOnce implements Stepper {
  #waiting: { readonly ready: () => boolean; readonly goOn: () => void }[] = []

  now = (): number => Date.now()

  async step<T>(
    _who: Actor,
    _what: string | (() => string),
    effect: () => T,
    { afterMs, ready }: StepOptions = {},
  ): Promise<T> {
    if (afterMs !== undefined) return new Promise(() => undefined)
    if (ready !== undefined && !ready()) {
      await new Promise<void>((goOn) => this.#waiting.push({ ready, goOn }))
    }
    try {
      return effect()
    } finally {
      setImmediate(() => this.#wake())
    }
  }

  sleep(): Promise<void> {
    return Promise.resolve()
  }

  #wake(): void {
    const free = this.#waiting.find(({ ready }) => ready())
    if (free === undefined) return
    this.#waiting.splice(this.#waiting.indexOf(free), 1)
    free.goOn()
  }
}
