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
 * Draws a batch's version. The floor was raised when the server was joined, and it is the same server still (invariant 6),
 * so a version that does not rise means that somebody has set the sequence back by hand: it is moved up again, and Postgres
 * is joined anew.
 */
export async function draw(work: WorkSession, store: BatchStore): Promise<Version> {
  // Of those that were there before: two that draw at the same time may get their answers in any order.
  const before = highest.get(store) ?? 0n
  const drawn = await work.drawVersion()
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
