import type { Version } from '../postgres/types.ts'
import type { BatchStore, WorkSession } from './batch-store.ts'
import { Obstructed } from './obstacle.ts'

/** The highest version that came from each store, and how many did. */
const highest = new WeakMap<BatchStore, bigint>()
const drawnFrom = new WeakMap<BatchStore, number>()

/** How many versions were drawn through a store. */
export function draws(store: BatchStore): number {
  return drawnFrom.get(store) ?? 0
}

/**
 * A version takes a flush of the disk. What takes longer has no connection: behind a pooler whose connections are all held by
 * claims, each would wait for the others until Postgres cuts them off.
 */
const LONGEST_MS = 10_000

/**
 * Draws a batch's version. The floor was raised when the server was joined, and it is the same server still (invariant 6),
 * so a version that does not rise means that somebody has set the sequence back by hand: it is moved up again, and Postgres
 * is joined anew. Nothing drawn within ten seconds, or `mostMs`, is an obstacle too, and the session is not to be used again.
 */
export async function draw(work: WorkSession, store: BatchStore, mostMs = LONGEST_MS): Promise<Version> {
  // Of those that were there before: two that draw at the same time may get their answers in any order.
  const before = highest.get(store) ?? 0n
  const drawn = await inTime(work.drawVersion(), Math.min(mostMs, LONGEST_MS))
  drawnFrom.set(store, draws(store) + 1)
  if (drawn.version > before) {
    if (drawn.version > (highest.get(store) ?? 0n)) highest.set(store, drawn.version)
    return drawn
  }
  await work.raiseVersionFloor(before + 1n)
  throw new Obstructed({
    scope: 'postgres',
    type: 'versions_set_back',
    reason: `the sequence sync_version went back from ${before} to ${drawn.version}: it must never be set back`,
  })
}

async function inTime(drawing: Promise<Version>, mostMs: number): Promise<Version> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new Obstructed({
          scope: 'document',
          type: 'pool_exhausted',
          reason: `Postgres drew no version within ${mostMs / 1000} s: behind a pooler, its pool is smaller than the number of batches in flight (docs/pgbouncer.md)`,
        }),
      )
    }, mostMs)
  })
  try {
    return await Promise.race([drawing, late])
  } finally {
    clearTimeout(timer)
  }
}
