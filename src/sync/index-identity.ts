import type pg from 'pg'
import type { Logger } from 'pino'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { acceptIndexUuid } from '../queue/accept-index-uuid.ts'
import { noteCheckpoints, readCheckpoints } from '../queue/index-checkpoints.ts'
import { readTargets } from '../queue/read-targets.ts'
import { REWRITE, requestRun } from '../queue/request-run.ts'
import { checkAlias } from './index-alias.ts'

export interface IdentityCheck {
  readonly pool: pg.Pool
  readonly schema: string
  readonly elasticsearch: Pick<Elasticsearch, 'indexStates' | 'indexAliases'>
  readonly log: Logger
  readonly plans: ReadonlyMap<string, Pick<DocumentPlan, 'index'>>
}

/**
 * Invariant 13: an index whose UUID is not the one it was created with was restored from a snapshot or recreated
 * by hand, and holds who knows what. The document is paused, its new UUID noted and a verify requested, which runs
 * when an operator resumes the document. A missing index is left to the bulk answers (blocked, nobody charged).
 *
 * An index keeps its UUID when a snapshot is restored over it, when the cluster starts with older data, or when a lost shard
 * is made anew, empty: then the numbers of its operations go back. It is the index it was, and lacks some of what was
 * acknowledged: a verify is requested that runs at once.
 *
 * Two requests for a document: there may be thousands of tenants.
 */
export async function checkIndexIdentity(check: IdentityCheck): Promise<void> {
  const { pool, schema, elasticsearch, log, plans } = check
  for (const [document, { index: names }] of plans) {
    const targets = await readTargets(pool, schema, document)
    const known = await readCheckpoints(pool, schema, document)
    const states = await elasticsearch.indexStates(templatePattern(names))
    for (const target of targets) {
      const state = states.get(target.index)
      if (state === undefined) continue
      if (state.uuid === target.uuid) {
        const before = known.get(target.index) ?? []
        await checkCheckpoints(check, document, { index: target.index, before, now: state.checkpoints })
        continue
      }
      const reason = `index ${target.index} was restored or recreated by hand: look at it, then run sluice resume ${document}, which verifies and repairs it`
      const { index } = target
      const first = await acceptIndexUuid(pool, schema, { document, index, uuid: state.uuid, reason })
      if (first) log.error({ document, index, reason }, 'document paused')
    }
    await checkAlias(check, document, names)
  }
}

type Checkpoints = readonly (number | null)[]

interface Seen {
  readonly index: string
  readonly before: Checkpoints
  readonly now: Checkpoints
}

async function checkCheckpoints(
  { pool, schema, log }: IdentityCheck,
  document: string,
  { index, before, now }: Seen,
): Promise<void> {
  const behind = before.findIndex((number, shard) => isLower(now[shard], number))
  // A shard that is away now is compared with what it was before, when it is back.
  const noted = now.map((number, shard) => number ?? before[shard] ?? null)
  if (behind < 0) {
    if (!same(before, noted)) await noteCheckpoints(pool, schema, { index, before, now: noted })
    return
  }
  const reason = `index ${index} lost what it had: its shard ${behind} was at operation ${before[behind]} and is at ${now[behind]} (restored from an older state, or made anew)`
  const first = await inTransaction(pool, async (client) => {
    if (!(await noteCheckpoints(client, schema, { index, before, now: noted }))) return false
    await requestRun(client, schema, {
      kind: 'verify',
      options: REWRITE,
      document,
      reason,
      requestedBy: 'sluice',
      onActive: 'verify-after',
    })
    return true
  })
  if (first) log.error({ document, index, reason }, 'a verify is requested')
}

function isLower(now: number | null | undefined, before: number | null): boolean {
  return typeof now === 'number' && before !== null && now < before
}

function same(one: Checkpoints, other: Checkpoints): boolean {
  return one.length === other.length && one.every((number, n) => number === other[n])
}
