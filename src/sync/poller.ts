import type { Assignment } from './dispatcher.ts'
import { pollDelay } from './pacing.ts'
import { Wakeable } from './wakeable.ts'

/** Shortest pause between two polls while batches are being settled: what came in meanwhile is found soon. */
const BUSY_POLL_MS = 10

interface PollerOptions {
  readonly pollingInterval: number
  readonly poll: () => Promise<readonly Assignment[]>
  readonly found: (pending: readonly Assignment[]) => void
  readonly onError: (error: unknown) => void
}

/**
 * Looks for pending marks at an interval, for all workers of a daemon: one cheap statement on one connection.
 * Polling is the mechanism: NOTIFY in triggers would serialise the application's commits.
 */
export class Poller {
  readonly #options: PollerOptions
  readonly #sleep = new Wakeable()
  #active = false
  #hurried = false
  #loop: Promise<void> | undefined
  #lastWork = 0

  constructor(options: PollerOptions) {
    this.#options = options
  }

  start(): void {
    this.#active = true
    this.#lastWork = performance.now()
    this.#loop = this.#run()
  }

  /** A batch was settled: poll again soon. */
  hurry(): void {
    this.#lastWork = performance.now()
    this.#hurried = true
    this.#sleep.wake()
  }

  async stop(): Promise<void> {
    this.#active = false
    this.#sleep.wake()
    await this.#loop
  }

  async #run(): Promise<void> {
    while (this.#active) {
      try {
        const pending = await this.#options.poll()
        if (pending.length > 0) this.#lastWork = performance.now()
        this.#options.found(pending)
      } catch (error) {
        this.#options.onError(error)
      }
      if (!this.#active) return
      const now = performance.now()
      const idle = now - this.#lastWork
      const hurried = this.#hurried
      this.#hurried = false
      await this.#sleep.sleep(hurried ? BUSY_POLL_MS : pollDelay(this.#options.pollingInterval, idle, now))
    }
  }
}
