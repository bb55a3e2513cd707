import type { BatchTarget } from '../../src/queue/types.ts'
import { BlockedIndices } from '../../src/sync/blocked-indices.ts'

/** An index that a batch of the document `d` writes to. */
export const target = (index: string, releasedAt: string | null = null, alias = 'd'): BatchTarget => ({
  index,
  alias,
  uuid: index,
  role: 'live',
  releasedAt,
})
export const live = target('live')
export const building = target('building')

/** A daemon's memory of blocked indices, its clock, and what it told. */
export function memory() {
  const clock = { now: 0 }
  const told: string[] = []
  const known = new BlockedIndices({
    now: () => clock.now,
    random: () => 0,
    trialMs: 1_000,
    onBlocked: ({ index }) => told.push(`blocked ${index}`),
    onFree: ({ index }) => told.push(`free ${index}`),
  })
  return { clock, told, known }
}

/** The keys of `d` that wait for an index, as the queue tells of them. */
export const parkedFor = (index: string, releasedAt: string | null = null) => ({
  document: 'd',
  index,
  registered: true,
  releasedAt,
})
