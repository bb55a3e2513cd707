import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import { acceptIndexUuid } from '../queue/accept-index-uuid.ts'
import { noteShards, readShards, type SeenShards } from '../queue/index-shards.ts'
import { readTargets } from '../queue/read-targets.ts'
import { checkAlias } from './index-alias.ts'
import { verifyOnce } from './verify-once.ts'

export interface IdentityCheck {
  readonly pool: pg.Pool
  readonly schema: string
  readonly elasticsearch: Pick<
    Elasticsearch,
    | 'indexStates'
    | 'indexAliases'
    | 'aliasTargets'
    | 'getMappings'
    | 'putMappings'
    | 'getSettings'
    | 'indexUuid'
  >
  readonly log: Logger
  /** Documents none of whose indices could be seen, and since when (monotonic milliseconds); kept from one check to the next. */
  readonly unseen: Map<string, number>
}

/**
 * Invariant 13: an index whose UUID is not the one it was created with was restored from a snapshot or recreated
 * by hand, and holds who knows what. The document is paused, its new UUID noted and a verify requested, which runs
 * when an operator resumes the document. A missing index is left to the bulk answers (blocked, nobody charged).
 *
 * An index keeps its UUID when a snapshot is restored over it while it is closed, or when a lost shard is made anew: then
 * the shard begins another history. When the cluster starts with older data, both stay: then the numbers of its operations
 * go back. It is the index it was, and lacks some of what was acknowledged: a verify is requested that runs at once.
 *
 * Two requests for a document: there may be thousands of tenants. False where a shard that was seen before is not there at
 * present: who knows what it will come back with.
 */
export async function checkIndexIdentity(
  check: IdentityCheck,
  document: string,
  names: string,
): Promise<boolean> {
  const { pool, schema, elasticsearch, log } = check
  const targets = await readTargets(pool, schema, document)
  const known = await readShards(pool, schema, document)
  const states = await elasticsearch.indexStates(templatePattern(names))
  tellUnseen(check, document, targets.length > 0 && states.size === 0)
  for (const { index, uuid } of targets) {
    const state = states.get(index)
    if (state === undefined) continue
    if (state.uuid === uuid) {
      await checkShards(check, document, { index, before: known.get(index) ?? {}, seen: state.shards })
      continue
    }
    const reason = `index ${index} was restored or recreated by hand: look at it, then run sluice resume ${document}, which verifies and repairs it`
    const first = await acceptIndexUuid(pool, schema, { document, index, uuid: state.uuid, reason })
    if (first) log.error({ document, index, reason }, 'document paused')
  }
  await checkAlias(check, document, names)
  return targets.every(({ index }) => {
    const shards = states.get(index)?.shards ?? {}
    return Object.keys(known.get(index) ?? {}).every((shard) => shard in shards)
  })
}

/** Shards may be starting. */
const UNSEEN_MS = 10_000

/** Elasticsearch answers a pattern with the indices that we may look at: none may mean that we may look at none. Said once. */
function tellUnseen({ log, unseen }: IdentityCheck, document: string, isUnseen: boolean): void {
  const now = performance.now()
  const since = unseen.get(document) ?? now
  if (!isUnseen) unseen.delete(document)
  else if (now - since < UNSEEN_MS) unseen.set(document, since)
  else {
    // Never again, as long as it lasts.
    unseen.set(document, Number.POSITIVE_INFINITY)
    const reason =
      'none of its indices can be seen, so that one which is restored or recreated goes unnoticed: they are missing, or the role lacks the privilege monitor on them'
    log.warn({ document, reason }, 'indices are not watched')
  }
}

interface Seen {
  readonly index: string
  readonly before: SeenShards
  readonly seen: SeenShards
}

async function checkShards(
  { pool, schema, log }: IdentityCheck,
  document: string,
  { index, before, seen }: Seen,
): Promise<void> {
  // A shard that is away now is compared with what it was before, when it is back.
  const now = { ...before, ...seen }
  if (isDeepStrictEqual(before, now)) return
  const lost = Object.entries(before).find(([number, was]) => {
    const is = now[number]
    return is !== undefined && (is.history !== was.history || is.checkpoint < was.checkpoint)
  })
  if (lost === undefined) {
    await noteShards(pool, schema, { index, before, now })
    return
  }
  const [shard, was] = lost
  const is = now[shard]
  const another = is?.history === was.history ? '' : ' of another history'
  const reason = `index ${index} lost what it had: its shard ${shard} was at operation ${was.checkpoint}, and is at ${is?.checkpoint}${another} (restored from an older state, or made anew)`
  await verifyOnce({ pool, schema, log }, { document, index, reason }, (client) =>
    noteShards(client, schema, { index, before, now }),
  )
}
