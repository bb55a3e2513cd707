import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'

export interface EventuallyOptions {
  /** Default 30 seconds: only a failure takes them, and a daemon's start took 15 on a machine with ten times its load. */
  readonly timeoutMs?: number
  /** What is being waited for; as a function, a look at more state, printed when it did not come. */
  readonly describe?: string | (() => unknown)
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown }

/**
 * Waits for a condition: calls `fn` until it neither throws nor returns false or null, and returns its value.
 * Past the deadline it fails, and says what it saw last. Assertions return nothing, which counts as holding;
 * a function that may return undefined among other things is refused by the types (write `?? null`).
 *
 *     await eventually(async () => expect(await count()).toBe(3), { describe: 'three documents' })
 *     const row = await eventually(async () => (await rows()).find((row) => row.done) ?? null)
 */
export function eventually(fn: () => void | Promise<void>, options?: EventuallyOptions): Promise<void>
export function eventually<T extends object | string | number | bigint | boolean | null>(
  fn: () => T | Promise<T>,
  options?: EventuallyOptions,
): Promise<Exclude<T, false | null>>
export async function eventually(
  fn: () => unknown,
  { timeoutMs = 30_000, describe }: EventuallyOptions = {},
): Promise<unknown> {
  const begun = performance.now()
  for (;;) {
    const outcome = await attempt(fn)
    if ('value' in outcome && outcome.value !== false && outcome.value !== null) return outcome.value
    const waitedMs = performance.now() - begun
    if (waitedMs > timeoutMs) throw await timedOut(timeoutMs, describe, outcome)
    await delay(pauseMs(waitedMs))
  }
}

/**
 * 20 ms at first, 100 ms from 1.6 s on: whoever waits for seconds shall not keep busy what it waits for.
 */
function pauseMs(waitedMs: number): number {
  return Math.min(100, 20 + waitedMs / 20)
}

async function attempt<T>(fn: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await fn() }
  } catch (error) {
    return { error }
  }
}

async function timedOut(
  timeoutMs: number,
  describe: EventuallyOptions['describe'],
  last: Outcome<unknown>,
): Promise<Error> {
  const said = typeof describe === 'function' ? await attempt(describe) : { value: describe }
  const seen = 'error' in last ? last.error : last.value
  const message = [
    `not within ${timeoutMs} ms${typeof describe === 'string' ? `: ${describe}` : ''}`,
    `last: ${seen instanceof Error ? seen.message : inspect(seen, { depth: 6 })}`,
    ...(typeof describe === 'function'
      ? [`state: ${inspect('value' in said ? said.value : said.error, { depth: 6 })}`]
      : []),
  ].join('\n')
  return new Error(message, { cause: seen })
}
