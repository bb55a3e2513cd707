import type pg from 'pg'
import type { Logger } from 'pino'
import { forgetTarget } from '../queue/forget-target.ts'
import { type ParkedTarget, parkedTargets } from '../queue/parked-targets.ts'
import { releaseTarget } from '../queue/release-target.ts'
import type { BlockedIndices } from './blocked-indices.ts'
import type { Dispatcher } from './dispatcher.ts'

/** Keys that wait for an index, as the queue has them. */
export interface ParkedQueue {
  parkedTargets(documents: readonly string[]): Promise<readonly ParkedTarget[]>
  /** About `maxKeys` back into their lane, and how many. */
  release(index: string, maxKeys: number): Promise<number>
  /** Drops some, and says how many. */
  forget(index: string): Promise<number>
}

export function parkedQueue(pool: pg.Pool, schema: string): ParkedQueue {
  return {
    parkedTargets: (documents) => parkedTargets(pool, schema, documents),
    release: (index, maxKeys) => releaseTarget(pool, schema, index, maxKeys),
    forget: (index) => forgetTarget(pool, schema, index),
  }
}

interface ParkedKeysContext {
  readonly queue: ParkedQueue
  readonly log: Logger
  readonly dispatcher: Pick<Dispatcher, 'try' | 'isOpen'>
  readonly blocked: BlockedIndices
  readonly plans: ReadonlyMap<string, unknown>
}

/** Most keys that one statement moves: 20 array marks. Of single ones it moves 2,000. */
const CHUNK_KEYS = 10_000

/** Keys of one round, which comes every two seconds: about as many as are indexed in that time. */
const ROUND_KEYS = 40_000

/**
 * Looks after the keys that wait for an index (invariant 10): tries the index when its time has come, releases them when
 * it takes writes, drops them when it is no longer written to. The queue says what there is to do, so it does not
 * matter which daemon parked them, or whether it still lives; several may do this at once.
 */
export async function tendParkedKeys(context: ParkedKeysContext): Promise<void> {
  const { queue, log, dispatcher, blocked, plans } = context
  if (!dispatcher.isOpen) return
  const parked = await queue.parkedTargets([...plans.keys()])
  blocked.parked(new Set(parked.map(({ index }) => index)))
  for (const target of parked) {
    const { document, index } = target
    if (!target.registered) {
      const keys = await inChunks(() => queue.forget(index))
      log.info({ document, index, keys }, 'parked keys dropped: the index is not written to any more')
      continue
    }
    switch (blocked.next(target)) {
      case 'wait':
        break
      case 'try':
        dispatcher.try(document, index)
        break
      case 'release': {
        const keys = await inChunks(() => queue.release(index, CHUNK_KEYS))
        log.info({ document, index, keys }, 'parked keys released')
      }
    }
  }
}

/** Until the round is over, or nothing is left that nobody else holds. */
async function inChunks(chunk: () => Promise<number>): Promise<number> {
  let keys = 0
  while (keys < ROUND_KEYS) {
    const some = await chunk()
    if (some === 0) break
    keys += some
  }
  return keys
}
