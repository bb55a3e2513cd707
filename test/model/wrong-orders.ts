import { type Bounds, type Order, shipped } from './orders.ts'

interface WrongOrder {
  readonly order: Order
  /** What it takes to be noticed. */
  readonly bounds: Bounds
  /** Which promise of the design: an invariant by its number, or what is said of a reindex (src/runs/reindex.ts). */
  readonly breaks: string
  /** What it has to end in: a loss, or a write to an index that is gone. */
  readonly fault: 'lost' | 'stray'
}

const FEWEST: Bounds = {
  changes: 1,
  workers: 1,
  rows: 1,
  faults: 0,
  crashes: 0,
  timeouts: 0,
  cuts: 0,
  reindexes: 0,
}

function wrong(
  breaks: string,
  about: string,
  order: Partial<Order>,
  bounds: Partial<Bounds>,
  fault: WrongOrder['fault'] = 'lost',
): WrongOrder {
  const { crashes = 0, timeouts = 0, cuts = 0 } = bounds
  const faults = crashes + timeouts + cuts
  return {
    breaks,
    order: { ...shipped, ...order, about },
    bounds: { ...FEWEST, ...bounds, faults },
    fault,
  }
}

/** Names as in the crash test's mutants, where it has the same. */
export const wrongOrders = {
  'version-in-trigger': wrong(
    'invariant 3',
    'the trigger draws the version, in the order of the changes and not of the loads',
    { version: 'trigger', steps: ['claim', 'targets', 'load', 'send', 'answer'] },
    { changes: 2, workers: 2, rows: 2 },
  ),
  'version-before-claim': wrong(
    'invariant 3',
    'the version is drawn before the claim',
    { steps: ['draw', 'claim', 'targets', 'load', 'send', 'answer'] },
    { changes: 2, workers: 2 },
  ),
  'version-after-load': wrong(
    'invariant 3',
    'the row is loaded before the version is drawn',
    { steps: ['claim', 'targets', 'load', 'draw', 'send', 'answer'] },
    { changes: 2, workers: 2 },
  ),
  'version-not-durable': wrong(
    'invariant 4',
    'the draw does not wait for the disk',
    {
      draw: 'lazy',
      // Otherwise the first to be lost is a change that the draw would have flushed, too.
      application: 'flushed',
    },
    { changes: 2, crashes: 1 },
  ),
  'version-flushed-if-written': wrong(
    'invariant 4',
    'the draw commits with synchronous_commit = on, but writes nothing itself where another draw has written for it',
    {
      draw: 'if-written',
      steps: ['claim', 'draw', 'flush', 'targets', 'load', 'send', 'answer'],
      application: 'flushed',
    },
    { changes: 2, crashes: 1, cuts: 1 },
  ),
  'change-not-flushed': wrong(
    'invariant 4',
    'the same, beside an application that commits with synchronous_commit = off',
    { draw: 'lazy' },
    { crashes: 1 },
  ),
  'index-without-version': wrong(
    'invariant 7',
    'operations have no version',
    { versioned: false },
    { changes: 2, timeouts: 1 },
  ),
  'deduplicated-queue': wrong(
    'invariant 2',
    'a change writes no mark where one for its key is in the queue',
    { queue: 'deduplicated' },
    { changes: 2 },
  ),
  'mark-before-change': wrong(
    'invariant 1',
    'the mark is committed before its change',
    { mark: 'before-change' },
    {},
  ),
  'acknowledged-before-answer': wrong(
    'invariant 8',
    'the claim is committed when its request is sent',
    { acknowledge: 'at-send' },
    { timeouts: 1 },
  ),
  'silence-is-success': wrong(
    'invariant 8',
    'a request without an answer counts as done',
    { silence: 'success' },
    { timeouts: 1 },
  ),
  'targets-before-claim': wrong(
    'the reindex',
    'the targets are read before the claim',
    { steps: ['targets', 'claim', 'draw', 'load', 'send', 'answer'] },
    { reindexes: 1 },
  ),
  'targets-after-load': wrong(
    'the reindex',
    'the targets are read after the load',
    { steps: ['claim', 'draw', 'load', 'targets', 'send', 'answer'] },
    { changes: 2, workers: 2, reindexes: 1 },
  ),
  'walk-before-registration': wrong(
    'the reindex',
    'the walk marks the rows before the new index is a target',
    { register: 'after-walk' },
    { reindexes: 1 },
  ),
  'registration-not-flushed': wrong(
    'the reindex',
    'the commit that makes the new index a target does not wait for the disk',
    { registration: 'lazy' },
    { changes: 2, crashes: 1, reindexes: 1 },
  ),
  'dropped-under-claims': wrong(
    'invariant 13',
    'an index is dropped while older batches still write to it',
    { drop: 'at-once' },
    { reindexes: 1 },
    'stray',
  ),
} as const satisfies Readonly<Record<string, WrongOrder>>
