import type { DocumentPlan } from '../documents/types.ts'
import type { Version } from '../postgres/types.ts'
import type { BatchTarget, Claim } from '../queue/types.ts'
import type { BatchContext } from './batch.ts'
import type { ClaimSession, WorkSession } from './batch-store.ts'
import type { Brake } from './brake.ts'
import { type Everything, olderOrigin } from './fold-marks.ts'
import { foreignVersionReason } from './foreign-versions.ts'
import { UNREADABLE_CHANGES } from './obstacle.ts'
import type { Outcomes } from './outcomes.ts'
import { changedSince } from './recheck.ts'
import { Tally } from './tally.ts'
import type { Transforming } from './transform.ts'
import type { BatchResult } from './types.ts'

export interface Unsettled {
  readonly claims: ClaimSession
  readonly work: WorkSession
  readonly plan: DocumentPlan
  readonly targets: readonly BatchTarget[]
  readonly transforming: Transforming | null
  readonly claim: Claim
  readonly version: Version
  readonly outcomes: Outcomes
  readonly brake: Brake
  readonly everything: readonly Everything[]
  readonly dueLog: Tally | null
}

type Settled = Omit<Extract<BatchResult, { outcome: 'settled' }>, 'full'>

/**
 * Writes a batch's outcomes and commits the claim: this is the acknowledgement (invariant 8).
 * Before that, the mass-delete brake counts, conflicts are examined, and marks without keys become a request for a verify.
 */
export async function settle(context: BatchContext, batch: Unsettled): Promise<Settled> {
  const { instance, limits } = context
  const { claims, claim, version, outcomes, everything, dueLog } = batch

  if (outcomes.failures.length > 0) await examineFailures(context, batch)
  const braked = await batch.brake.entry(outcomes)
  const tripped = braked === null ? null : await claims.recordBrake(braked)
  const faulty = await examineConflicts(context, batch)
  outcomes.giveBack(faulty.keys)
  const foreign = faulty.keys.length === 0 ? null : foreignVersionReason(faulty.highest)
  if (foreign !== null) {
    await claims.requestRewrite({ document: claim.document, reason: foreign })
    await claims.noteForeignVersion(claim.document, faulty.highest)
  }
  if (everything.some(({ alarm }) => alarm)) {
    await claims.setAlarm(claim.document, UNREADABLE_CHANGES)
  }
  if (everything.length > 0) {
    const origin = everything.map((one) => one.origin).reduce(olderOrigin)
    const reason = [...new Set(everything.map((one) => one.reason))].join(', ')
    await claims.requestRewrite({
      document: claim.document,
      reason,
      origin,
      truncated: everything.some(({ truncated }) => truncated),
    })
  }

  outcomes.tally.countBatch()
  const log = new Tally()
  if (dueLog !== null) {
    log.merge(dueLog)
    log.merge(outcomes.tally)
  }
  await claims.settle(
    {
      document: claim.document,
      lane: claim.lane,
      version: version.version,
      succeeded: outcomes.succeeded,
      failures: outcomes.failures,
      givenBack: outcomes.givenBack,
      parked: outcomes.parked,
      runs: outcomes.runCounts(claim.marks),
      log: log.entries,
      lagCounts: log.lagCounts,
      batches: log.batches,
    },
    { worker: instance, maxRetries: limits.maxRetries },
  )
  const { tally, obstacle } = outcomes
  return { outcome: 'settled', tally, givenBack: outcomes.givenBack.length, obstacle, tripped, foreign }
}

/**
 * A row that failed and has changed since has a mark of its own (invariant 1), and perhaps that mark's batch was faster:
 * then the document is in the index, and a dead failure recorded now would stay with it. So it is tried again instead.
 * The lock comes before all that is written: settlements of a document wait for each other in one order only.
 */
async function examineFailures({ limits }: BatchContext, batch: Unsettled): Promise<void> {
  const { claims, work, claim, plan, targets, transforming, outcomes } = batch
  await claims.lockFailures(claim.document)
  const timeoutMs = limits.requestTimeout
  const options = { targets, transforming, timeoutMs }
  outcomes.outdated(await changedSince(work, plan, outcomes.failedStates, options))
}

/**
 * A conflict whose stored version is at most the sequence's present value is honest: another batch of ours was
 * later, and wrote a later state. The sequence is read after the answer, so whoever wrote that version drew it
 * before. Above it, the stored version comes from a life of this database that is gone (a dump restored, a
 * failover that lost transactions): leap past it and mark the keys again, or they would lose for ever (invariant 5).
 */
async function examineConflicts(context: BatchContext, { work, outcomes }: Unsettled) {
  const conflicts = outcomes.superseded
  if (conflicts.length === 0) return { keys: [], highest: 0n }
  const current = await work.currentVersion()
  const faulty = conflicts.filter(({ stored }) => stored > current)
  if (faulty.length === 0) return { keys: [], highest: 0n }
  const highest = faulty.reduce((max, { stored }) => (stored > max ? stored : max), 0n)
  await context.store.raiseVersionFloor(highest + 1n)
  return { keys: faulty.map(({ key }) => key), highest }
}
