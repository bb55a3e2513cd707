import { isTenantPattern } from '../config/tenant-index.ts'
import type { Limits, Transform } from '../config/types.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { cutByBytes } from '../elasticsearch/bulk.ts'
import type { Operation } from '../elasticsearch/types.ts'
import type { BatchTarget, Claim, Lane } from '../queue/types.ts'
import { type AddressedKey, addressKeys } from './addressed.ts'
import type { BatchStore, ClaimSession, WorkSession } from './batch-store.ts'
import type { BlockedIndices } from './blocked-indices.ts'
import { Brake, type BrakeContext } from './brake.ts'
import type { BulkGate } from './bulk-gate.ts'
import type { Confidence } from './confidence.ts'
import { draw } from './draw.ts'
import { encodeOperations } from './encode.ts'
import { expandMarks } from './expand.ts'
import { isTooBusy } from './in-flight.ts'
import { isAlone, LineUp } from './line-up.ts'
import { loadSlice } from './load-slice.ts'
import { Obstructed, obstacleOf } from './obstacle.ts'
import { Outcomes } from './outcomes.ts'
import { Parking } from './parking.ts'
import { assertSameServer } from './same-server.ts'
import { type BulkSender, sendOperations, UNSENT } from './send.ts'
import { settle } from './settle.ts'
import type { SliceSizer } from './slice-sizer.ts'
import type { Tally } from './tally.ts'
import type { TenantIndicesContext } from './tenant-indices.ts'
import type { Transforming } from './transform.ts'
import { turnLarge } from './turn-large.ts'
import type { BatchResult } from './types.ts'

export interface BatchContext extends BrakeContext {
  /** Name of this daemon, for the log. */
  readonly instance: string
  readonly limits: Limits
  readonly store: BatchStore
  readonly elasticsearch: BulkSender & BrakeContext['elasticsearch'] & TenantIndicesContext['elasticsearch']
  /** The server that the daemon has joined (`serverSql`), or null while it is between two. */
  readonly server: () => string | null
  /** Indices that take no writes, as far as this daemon knows. */
  readonly blocked: BlockedIndices
  readonly gate: BulkGate
  /** Monotonic clock, milliseconds. */
  readonly now: () => number
}

export interface BatchRequest {
  readonly plan: DocumentPlan
  /** Of the definition that the plan was made from. */
  readonly hash: string
  /** The configuration's function, for a plan that has one. */
  readonly transform?: Transform | undefined
  readonly lane: Lane
  /** Where the lane begins (QueueFronts). */
  readonly front?: bigint | undefined
  /** A trial of this blocked index, with a mark that is parked for it. */
  readonly target?: string | undefined
  readonly sizer: SliceSizer
  /** Which keys may go together, after requests that got no answer. */
  readonly confidence: Confidence
  /** Outcomes of earlier batches that are due in the log with this batch's settlement; null: not yet. */
  readonly dueLog: Tally | null
}

/**
 * A claim is given back after this long, whatever is left of it: what is done is settled, the rest is marked again.
 * A minute; two time-outs where requests are given up sooner, for then a stuck process is to be noticed sooner, too.
 */
const claimLifeMs = ({ requestTimeout }: Limits) => Math.min(60_000, 2 * requestTimeout)

/**
 * One batch: marks in, state out. Eight steps in this order, which is what makes it correct (invariant 3):
 *
 *     claim → version → expand → load → encode → send → classify → settle
 *
 * The claim is a transaction on a connection of its own that touches only our tables; whatever goes wrong
 * before the settlement's commit, its rollback puts the marks back (invariants 8 and 9). Version, expansion and
 * load use a second connection. Nothing is thrown: an obstacle is a result.
 */
export async function runBatch(context: BatchContext, request: BatchRequest): Promise<BatchResult> {
  const { store, limits, now } = context
  const { plan, hash, lane, sizer, confidence } = request
  let claims: ClaimSession | undefined
  let work: WorkSession | undefined
  let healthy = false
  try {
    claims = await store.openClaim()
    // 1. claim
    const idleTimeoutMs = limits.requestTimeout + claimLifeMs(limits)
    const claim = await claims.claimMarks({
      document: plan.document,
      lane,
      front: request.front,
      target: request.target,
      maxKeys: limits.batchSize,
      idleTimeoutMs,
    })
    if (claim === null) {
      healthy = true
      return { outcome: 'empty' }
    }
    const claimedAt = now()
    const over = () => now() - claimedAt > claimLifeMs(limits)

    // 2. version: durable before it is used, drawn after the claim; the targets are read after the claim, too
    work = await store.openWork()
    const version = await draw(work, store, limits.requestTimeout)
    assertSameServer(claim.server, version.server)
    assertSameServer(claim.server, context.server())
    const tenants = isTenantPattern(plan.index)
    const workable = await work.readWorkableTargets({ document: plan.document, hash, tenants })
    assertTargets(workable, plan)

    // 3. expand
    const timeoutMs = limits.requestTimeout
    const expanding = { batchSize: limits.batchSize, timeoutMs, now }
    const expansion = await expandMarks(work, plan, claim.marks, expanding)
    for (const server of expansion.servers) assertSameServer(claim.server, server)
    if (expansion.large.length > 0) {
      const expanded = await turnLarge(claims, { plan, claim, expansion, timeoutMs })
      healthy = true
      return expanded
    }
    const { keys: marked, everything } = expansion
    const outcomes = new Outcomes(marked)
    const some = marked.slice(0, confidence.mostKeys)
    outcomes.giveBack(marked.slice(some.length))
    const { keys, failures: invalid } = addressKeys(plan, some)
    outcomes.impossible(invalid)

    const aliases = tenants ? [...new Set(keys.map(({ alias }) => alias))] : []
    const targets = tenants ? await work.readTargetsOf(plan.document, aliases) : workable
    const parking = new Parking(context.blocked, plan.document, { targets, tenants, trial: request.target })
    const brake = new Brake(context, work, plan, { targets: parking.open, keys })
    const transforming = transformingOf(request, over)
    const lineUp = new LineUp(confidence.suspects, keys)
    let halted = false
    let anyAnswered = false
    while (!halted) {
      const next = lineUp.next(sizer.keys(limits.batchBytes))
      if (next.length === 0) break
      if (over()) {
        outcomes.giveBack(next)
        continue
      }
      // What is for a blocked index waits for it; the rest goes on (invariant 10).
      const { slice, open } = parking.park(next, outcomes)
      if (slice.length === 0) continue
      // 4. load
      const loaded = await loadSlice({ ...context, work, plan, hash, transforming }, slice, {
        parking,
        outcomes,
        open,
      })
      assertSameServer(claim.server, loaded.server)

      // 5. encode
      const encoded = encodeOperations(plan, loaded.keys, loaded.documents, loaded.open)
      outcomes.add(encoded.added)
      outcomes.impossible(encoded.failures)
      outcomes.gone(encoded.gone)
      brake.moved(encoded.moved)
      sizer.observe(slice.length, encoded.operations)
      // Too many deletes that nobody explains are held back (invariant 12); the rest goes on.
      const passed = await brake.pass(encoded.operations, outcomes)

      let whole = true
      for (const operations of cutByBytes(passed, context.gate.bytes(lane, limits.batchBytes))) {
        if (halted || over()) {
          whole = false
          outcomes.giveBack(keysOf(operations, [...slice, ...encoded.added]))
          continue
        }
        // 6. send, 7. classify
        const connection = claims
        const goOn = async () => {
          await connection.assertClaimLives()
          return !over()
        }
        const sent = await context.gate.pass(lane, () =>
          sendOperations(context.elasticsearch, operations, version.version, goOn),
        )
        if (sent.outcome === 'obstacle') {
          const { obstacle } = sent
          if (!obstacle.suspicious) throw new Obstructed(obstacle)
          const alone = isAlone(slice)
          const among = alone ? slice : keysOf(operations, [...slice, ...encoded.added])
          const lost = confidence.unanswered(among, { alone, busy: isTooBusy(obstacle) })
          if (lost.fate === 'give-back' && !anyAnswered) throw new Obstructed(obstacle)
          // Whether Elasticsearch is there is to be asked first (invariant 10); what was lost comes after all others.
          halted = true
          outcomes.giveBack(lineUp.left)
          outcomes.unanswered(
            operations,
            { ...obstacle, ...(lost.moving ? { moving: true } : {}) },
            lost.fate,
          )
          continue
        }
        if (sent.verdicts.includes(UNSENT)) whole = false
        else anyAnswered = true
        const verdicts = parking.judge(operations, sent.verdicts)
        const elapsedMs = now() - claimedAt
        outcomes.answered(operations, verdicts, { elapsedMs, tookMs: sent.tookMs })
      }
      if (whole && !halted && passed.length > 0) confidence.answered(slice)
    }

    // 8. settle: the commit is the acknowledgement
    const result = await settle(context, {
      claims,
      work,
      plan,
      targets: parking.targets,
      transforming,
      claim,
      version,
      outcomes,
      brake,
      everything,
      dueLog: request.dueLog,
    })
    healthy = true
    // Without a key nothing was asked: that says nothing about Elasticsearch.
    const answered = keys.length > 0 && result.obstacle?.scope !== 'elasticsearch'
    if (answered) confidence.gotThrough(limits.batchSize)
    return { ...result, full: claimedKeys(claim) >= limits.batchSize }
  } catch (error) {
    return { outcome: 'given-back', obstacle: obstacleOf(error) }
  } finally {
    if (claims !== undefined && !healthy) await claims.giveBack()
    // A connection that saw an error is not used again: a half-open transaction must not outlive its batch.
    claims?.release(!healthy)
    work?.release(!healthy)
  }
}

/**
 * Without a target, nothing could be sent and everything would be acknowledged: a silent loss. Where each tenant has an
 * index, they come with the rows (tenant-indices.ts).
 */
function assertTargets(
  targets: readonly BatchTarget[] | null,
  { document, index }: DocumentPlan,
): asserts targets is readonly BatchTarget[] {
  if (targets === null) {
    const reason = 'it was paused, detached or installed anew a moment ago'
    throw new Obstructed({ scope: 'document', type: 'not_workable', reason })
  }
  if (targets.length === 0 && !isTenantPattern(index)) {
    const reason = `no index is registered for "${document}": run sluice install`
    throw new Obstructed({ scope: 'document', type: 'no_index', reason })
  }
}

function transformingOf({ plan, transform }: BatchRequest, over: () => boolean): Transforming | null {
  if (!plan.transform) return null
  if (transform !== undefined) return { document: plan.document, transform, over }
  const reason = 'the configuration of this daemon has no transform for it: run sluice install'
  throw new Obstructed({ scope: 'document', type: 'no_transform', reason })
}

function keysOf(operations: readonly Operation[], keys: readonly AddressedKey[]): readonly AddressedKey[] {
  const wanted = new Set(operations.map(({ key }) => key))
  return keys.filter(({ key }) => wanted.has(key))
}

function claimedKeys(claim: Claim): number {
  return claim.marks.reduce((sum, mark) => sum + (mark.keys?.length ?? 1), 0)
}
