import type { Random } from './random.ts'

/** Waits; ends early when everything is to heal. */
export type Pause = (ms: number) => Promise<unknown>

/** Something else that goes wrong now and then, beside what faults.ts does in any case. */
export interface Disturber {
  readonly name: string
  /** Between two rounds, milliseconds. */
  readonly every: readonly [least: number, most: number]
  /** One disturbance, to its end. Resolves to what it was, or to null where nothing came of it. */
  disturb(choices: Random, pause: Pause): Promise<string | null>
  /** No round is under way any more, and the servers are up: whatever may be left is put right. */
  heal(): Promise<void>
}

/** One at a time: whoever must not meet another waits for its end. */
export function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
}
