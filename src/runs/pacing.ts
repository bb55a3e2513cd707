import { setTimeout as delay } from 'node:timers/promises'
import type { RunWork } from './context.ts'
import { assertOurs } from './interrupted.ts'
import { readStanding, type Standing } from './standing.ts'
import type { Run } from './types.ts'

/**
 * Most keys of one run in the queue. Half a second of work at full speed (40,000 documents/s), so the workers never
 * run dry between two looks; and little enough that a cancel takes effect at once, that the queue stays in memory,
 * and that bulk marks of the application wait half a second at most behind a walk of any length.
 */
export const MAX_PENDING_KEYS = 20_000

/**
 * Most keys of one run that wait for a blocked index while the run goes on for the others: 2,000 marks, 50 MB. Past it
 * the run waits, too; a reindex, whose marks are all for one index, comes to this.
 */
export const MAX_PARKED_KEYS = 1_000_000

/** Keys marked in one transaction: ten array marks, 6 ms. */
export const CHUNK_KEYS = 5_000

/** An array mark holds up to 500 keys (FACTS: a row per key costs the queue four times as much). */
export const KEYS_PER_MARK = 500

const FIRST_LOOK_MS = 25
const LAST_LOOK_MS = 500

/**
 * Milliseconds until the next look at how far the marks have drained, after `waitedMs` of waiting: an eighth of that, so
 * that the end of a wait is seen when it has lasted an eighth longer at most, and half of what is left by the pace so far,
 * where that is known; between 25 and 500. Never less than ten times what the last look took, so that looking never costs
 * more than a tenth of a connection.
 */
export function lookDelay(waitedMs: number, tookMs: number, leftMs = Number.POSITIVE_INFINITY): number {
  const wanted = Math.min(LAST_LOOK_MS, Math.max(FIRST_LOOK_MS, Math.min(waitedMs / 8, leftMs / 2)))
  return Math.max(wanted, 10 * tookMs)
}

/** Milliseconds until no key is pending, by the pace since there were `first`; Infinity where there is none. */
export function timeLeft(first: number, pending: number, elapsedMs: number): number {
  return pending < first ? (pending * elapsedMs) / (first - pending) : Number.POSITIVE_INFINITY
}

/**
 * Looks until `reached` holds; throws RunInterrupted as soon as the run is cancelled, lost or the signal aborts.
 * `timeoutMs`: gives up waiting (without an error) after so long.
 */
export async function waitFor(
  { pool, schema, signal, onWaiting }: Pick<RunWork, 'pool' | 'schema' | 'signal' | 'onWaiting'>,
  run: Pick<Run, 'id' | 'worker'>,
  reached: (standing: Standing) => boolean,
  timeoutMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  const began = performance.now()
  let first: number | undefined
  for (;;) {
    signal.throwIfAborted()
    const before = performance.now()
    const standing = await readStanding(pool, schema, run.id)
    assertOurs(run, standing)
    const now = performance.now()
    if (reached(standing) || now - began > timeoutMs) return
    if (first === undefined) onWaiting?.()
    first ??= standing.pendingKeys
    const leftMs = timeLeft(first, standing.pendingKeys, now - began)
    await sleep(lookDelay(now - began, now - before, leftMs), signal)
  }
}

/** True when another chunk fits. Parked keys are nobody's work at present, and do not stop it. */
export function hasRoom({ pendingKeys, parkedKeys }: Standing): boolean {
  return pendingKeys - parkedKeys + CHUNK_KEYS <= MAX_PENDING_KEYS && parkedKeys <= MAX_PARKED_KEYS
}

/** True when every mark of the run is answered and settled, those parked for a blocked index included. */
export function isDrained(standing: Standing): boolean {
  return standing.pendingMarks === 0
}

/** Waits, or throws the signal's reason (a RunInterrupted) as soon as it aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
