import type pg from 'pg'
import type { Logger } from 'pino'
import { forgetTarget } from '../queue/forget-target.ts'
import { parkedTargets } from '../queue/parked-targets.ts'
import { releaseTarget } from '../queue/release-target.ts'
import type { BlockedIndices } from './blocked-indices.ts'
import type { Dispatcher } from './dispatcher.ts'

interface ParkedKeysContext {
  readonly settings: { readonly schema: string }
  readonly pool: pg.Pool
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
  const { settings, pool, log, dispatcher, blocked, plans } = context
  const { schema } = settings
  if (!dispatcher.isOpen) return
  const parked = await parkedTargets(pool, schema, [...plans.keys()])
  blocked.parked(new Set(parked.map(({ index }) => index)))
  for (const target of parked) {
    const { document, index } = target
    if (!target.registered) {
      const keys = await inChunks(() => forgetTarget(pool, schema, index))
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
        const keys = await inChunks(() => releaseTarget(pool, schema, index, CHUNK_KEYS))
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
