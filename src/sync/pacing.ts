/** How long to wait: pure functions of what happened so far. Times in milliseconds. */

/** Idle time after which polling stretches: an application at rest should cost next to nothing. */
const STRETCH_AFTER_MS = 10_000
const STRETCHED_MS = 250

/** Pause before the next poll of an empty queue: at rest until the next beat. */
export function pollDelay(pollingInterval: number, idleMs: number, nowMs: number): number {
  return idleMs < STRETCH_AFTER_MS || pollingInterval > STRETCHED_MS
    ? pollingInterval
    : untilBeat(STRETCHED_MS, nowMs)
}

/**
 * Milliseconds until the next multiple of `everyMs` on the process' clock, on which all that a daemon at rest does meets:
 * waking up costs more than what it wakes up for. One more than that, for timers fire up to a millisecond early.
 */
export function untilBeat(everyMs: number, nowMs: number): number {
  return Math.ceil(everyMs - (nowMs % everyMs)) + 1
}

const FIRST_BACKOFF_MS = 250
const LONGEST_BACKOFF_MS = 30_000

/**
 * Pause after the `attempt`th failure in a row (1, 2, …): doubling from 250 ms to 30 s, with "equal jitter"
 * (half fixed, half random; AWS Architecture Blog, "Exponential Backoff And Jitter"), so that many daemons do
 * not come back at the same moment. `random` is in [0, 1).
 */
export function backoffDelay(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempt - 1))
  return ceiling / 2 + (ceiling / 2) * random
}
