import { Dispatcher } from '../../src/sync/dispatcher.ts'

export const a = { document: 'a', lane: 0 } as const
export const b = { document: 'b', lane: 0 } as const
export const bulk = { document: 'a', lane: 1 } as const
export const obstacle = { scope: 'document', type: 'x', reason: 'because' } as const

/** One whose gate is open, and whose pauses are as short as they may be. */
export function dispatcher(clock = { now: 0 }, concurrency = 100) {
  const made = new Dispatcher({ now: () => clock.now, random: () => 0, concurrency, trialMs: 1000 })
  made.open()
  return made
}

/** What the next `count` workers are given: document and lane. */
export const take = async (from: Dispatcher, count: number) => {
  const taken: string[] = []
  for (let n = 0; n < count; n++) {
    const next = await from.next()
    taken.push(next === null ? 'null' : `${next.document}${next.lane}`)
  }
  return taken
}

/** True when a worker would have to wait now. */
export const idle = (from: Dispatcher) =>
  Promise.race([from.next().then(() => false), Promise.resolve().then(() => true)])
