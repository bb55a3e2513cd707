import type { Transform } from '../config/types.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { type BatchContext, runBatch } from './batch.ts'
import { Confidence } from './confidence.ts'
import type { Assignment, Dispatcher } from './dispatcher.ts'
import type { QueueFronts } from './queue-fronts.ts'
import { SliceSizer } from './slice-sizer.ts'
import { Tally } from './tally.ts'
import type { BatchResult } from './types.ts'

export interface WorkerContext extends BatchContext {
  readonly dispatcher: Dispatcher
  readonly fronts: Pick<QueueFronts, 'of'>
  /** Plans of the documents this daemon may work on now. */
  readonly plans: ReadonlyMap<string, DocumentPlan>
  /** Hashes of the configuration's definitions, by document. */
  readonly hashes: ReadonlyMap<string, string>
  /** The configuration's functions, for documents that have one. */
  readonly transforms: ReadonlyMap<string, Transform>
  /** Outcomes not written yet, by document; shared by the daemon's workers. */
  readonly unwritten: Map<string, Unwritten>
  /** How large the documents are; shared by the daemon's workers, so that each is measured once. */
  readonly sizers: Map<string, SliceSizer>
  /** How far the documents' batches are trusted; shared by the daemon's workers. */
  readonly confidences: Map<string, Confidence>
  /** Told of every batch that was more than an empty claim. */
  readonly onBatch: (assignment: Assignment, result: BatchResult) => void
}

/** Outcomes of committed batches that `sync_log` does not have yet. */
export interface Unwritten {
  tally: Tally
  /** When the log was last written, monotonic milliseconds. */
  writtenAt: number
}

/** `sync_log` gets at most one row a second for each document, index, operation and outcome. */
const LOG_INTERVAL_MS = 1_000

/** Takes assignments and runs their batches, one after the other, until there are none to come. */
export async function runWorker(context: WorkerContext): Promise<void> {
  for (;;) {
    const assignment = await context.dispatcher.next()
    if (assignment === null) return
    const plan = context.plans.get(assignment.document)
    const hash = context.hashes.get(assignment.document)
    if (plan === undefined || hash === undefined) {
      context.dispatcher.exhausted(assignment)
      context.dispatcher.ended(assignment)
      continue
    }
    const sizer = context.sizers.get(plan.document) ?? new SliceSizer()
    context.sizers.set(plan.document, sizer)
    const confidence = context.confidences.get(plan.document) ?? new Confidence(context.now)
    context.confidences.set(plan.document, confidence)
    const due = takeDueLog(context, plan.document)
    const result = await runBatch(context, {
      plan,
      hash,
      transform: context.transforms.get(plan.document),
      lane: assignment.lane,
      front: context.fronts.of(assignment.document, assignment.lane),
      target: assignment.target,
      sizer,
      confidence,
      dueLog: due,
    })
    const settled = result.outcome === 'settled'
    remember(context, plan.document, {
      returned: settled ? null : due,
      added: settled && due === null ? result.tally : null,
    })
    if (assignment.target !== undefined) {
      const refused = result.outcome === 'given-back' && result.obstacle.scope === 'index'
      context.blocked.trialEnded(assignment.target, refused ? result.obstacle : null)
    }
    const more = result.outcome === 'expanded' || (settled && result.full)
    if (!more) context.dispatcher.exhausted(assignment)
    if (result.outcome !== 'empty') context.onBatch(assignment, result)
    context.dispatcher.ended(assignment)
  }
}

/** The unwritten outcomes, when a second has passed since the last writing; they leave the buffer until the batch is settled. */
function takeDueLog({ unwritten, now: clock }: WorkerContext, document: string): Tally | null {
  const entry = unwritten.get(document)
  const now = clock()
  if (entry === undefined) {
    unwritten.set(document, { tally: new Tally(), writtenAt: now })
    return new Tally()
  }
  if (now - entry.writtenAt < LOG_INTERVAL_MS) return null
  const { tally } = entry
  unwritten.set(document, { tally: new Tally(), writtenAt: now })
  return tally
}

function remember(
  { unwritten }: WorkerContext,
  document: string,
  { returned, added }: { returned: Tally | null; added: Tally | null },
): void {
  const entry = unwritten.get(document)
  if (returned !== null) {
    entry?.tally.merge(returned)
    // Nothing was written after all: the next batch may.
    if (entry !== undefined) entry.writtenAt = 0
  }
  if (added !== null) entry?.tally.merge(added)
}
