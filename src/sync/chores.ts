/** Something a daemon does again and again beside its batches. */
export interface Chore {
  readonly name: string
  readonly everyMs: number
  readonly run: () => Promise<void>
  /** Ends what it does beside its runs. */
  readonly stop?: () => Promise<void>
}

/**
 * Runs each chore at its interval, one run of a chore at a time, until `stop()`. Errors go to `onError`; a
 * chore that failed comes again at its next turn.
 */
export class Chores {
  readonly #chores: readonly Chore[]
  readonly #onError: (error: unknown, chore: string) => void
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #running = new Set<Promise<void>>()

  constructor(chores: readonly Chore[], onError: (error: unknown, chore: string) => void) {
    this.#chores = chores
    this.#onError = onError
  }

  /** Runs every chore once, in order, then starts their intervals. */
  async start(): Promise<void> {
    for (const chore of this.#chores) {
      await chore.run().catch((error: unknown) => this.#onError(error, chore.name))
    }
    for (const chore of this.#chores) {
      let busy = false
      const timer = setInterval(() => {
        if (busy) return
        busy = true
        const running = chore
          .run()
          .catch((error: unknown) => this.#onError(error, chore.name))
          .finally(() => {
            busy = false
            this.#running.delete(running)
          })
        this.#running.add(running)
      }, chore.everyMs)
      this.#timers.add(timer)
    }
  }

  /** No further runs; resolves when those under way have ended. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers.clear()
    await Promise.all(this.#running)
    await Promise.all(this.#chores.map((chore) => chore.stop?.()))
  }
}
