import { setTimeout as delay } from 'node:timers/promises'
import { untilBeat } from './pacing.ts'
import { Wakeable } from './wakeable.ts'

/** Something a daemon does again and again beside its batches. */
export interface Chore {
  readonly name: string
  readonly everyMs: number
  readonly run: () => Promise<void>
  /** Ends what it does beside its runs. */
  readonly stop?: () => Promise<void>
}

/** How long a chore has its turn for itself, in milliseconds: a slow one holds up no heartbeat. */
const TURN_MS = 250

/**
 * Runs each chore at its interval until `stop()`, one run of a chore at a time. Those that are due at the same beat take
 * turns, each on the connection that the one before has just used: a daemon at rest wakes up once for all of them, and
 * keeps few connections. Errors go to `onError`; a chore that failed comes again at its next turn.
 */
export class Chores {
  readonly #chores: readonly Chore[]
  readonly #onError: (error: unknown, chore: string) => void
  readonly #sleep = new Wakeable()
  readonly #running = new Map<Chore, Promise<void>>()
  #active = false
  #loop: Promise<void> = Promise.resolve()

  constructor(chores: readonly Chore[], onError: (error: unknown, chore: string) => void) {
    this.#chores = chores
    this.#onError = onError
  }

  /** Runs every chore once, in order, then starts their intervals. */
  async start(): Promise<void> {
    for (const chore of this.#chores) await this.#run(chore)
    this.#active = true
    this.#loop = this.#beats()
  }

  /** No further runs; resolves when those under way have ended. */
  async stop(): Promise<void> {
    this.#active = false
    this.#sleep.wake()
    await this.#loop
    await Promise.all(this.#running.values())
    await Promise.all(this.#chores.map((chore) => chore.stop?.()))
  }

  async #beats(): Promise<void> {
    const beatMs = Math.min(...this.#chores.map(({ everyMs }) => everyMs))
    let seenAt = performance.now()
    while (this.#active) {
      await this.#sleep.sleep(untilBeat(beatMs, performance.now()))
      const now = performance.now()
      for (const chore of this.#chores) {
        const due = Math.floor(now / chore.everyMs) > Math.floor(seenAt / chore.everyMs)
        if (this.#active && due && !this.#running.has(chore)) await this.#turn(chore)
      }
      seenAt = now
    }
  }

  async #turn(chore: Chore): Promise<void> {
    const over = new AbortController()
    const running = this.#run(chore).finally(() => {
      this.#running.delete(chore)
      over.abort()
    })
    this.#running.set(chore, running)
    await delay(TURN_MS, undefined, { signal: over.signal }).catch(() => undefined)
  }

  #run(chore: Chore): Promise<void> {
    return chore.run().catch((error: unknown) => this.#onError(error, chore.name))
  }
}
