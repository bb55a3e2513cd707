import type { ItemVerdict, Operation } from '../elasticsearch/types.ts'
import { isFor } from '../queue/is-for.ts'
import type { BatchTarget } from '../queue/types.ts'
import type { AddressedKey } from './addressed.ts'
import type { BlockedIndices, Refusal } from './blocked-indices.ts'
import { Obstructed } from './obstacle.ts'
import type { Outcomes } from './outcomes.ts'

interface ParkingOptions {
  readonly targets: readonly BatchTarget[]
  /** Each tenant has an index of its own: one that takes no writes says nothing of the others. */
  readonly tenants: boolean
  /** The batch is a trial of this index. */
  readonly trial: string | undefined
}

/**
 * What of one batch is sent, and what has to wait for an index that takes no writes (invariant 10).
 *
 * - Some of the document's indices are blocked: their keys are parked, the other indices get everything.
 * - All are: the batch is given back and the document paused, so that nothing is parked of which nothing can be done.
 *   Its next batch tries them all. Not where each tenant has an index: other keys have others, and are not held up.
 * - A trial that is refused is given back, so that its mark stays where it is.
 * - An index that has lost a shard (503 for some of its keys) counts as blocked while another one takes writes. Alone, it
 *   is not: what its other shards took is settled, and the document waits (Outcomes).
 */
export class Parking {
  readonly #known: BlockedIndices
  readonly #document: string
  readonly #tenants: boolean
  readonly #trial: boolean
  /** Held for blocked, and sent to all the same. */
  readonly #tried: Set<string>
  #targets: readonly BatchTarget[]

  constructor(known: BlockedIndices, document: string, { targets, tenants, trial }: ParkingOptions) {
    this.#known = known
    this.#document = document
    this.#targets = targets
    this.#tenants = tenants
    this.#trial = trial !== undefined
    const held = targets.filter((target) => known.holds(target))
    const all = held.length === targets.length && !tenants ? held.map(({ index }) => index) : []
    this.#tried = new Set(trial === undefined ? all : [trial])
  }

  /** All indices that the batch writes to. */
  get targets(): readonly BatchTarget[] {
    return this.#targets
  }

  /** Indices that were made on demand. */
  add(targets: readonly BatchTarget[]): void {
    const known = new Set(this.#targets.map(({ index }) => index))
    this.#targets = [...this.#targets, ...targets.filter(({ index }) => !known.has(index))]
  }

  /** Targets that are sent to, as things are. */
  get open(): readonly BatchTarget[] {
    return this.#targets.filter((target) => !this.#waits(target))
  }

  /**
   * Parks what is for blocked indices. Returns the keys that are left, and the targets to send them to: both by one look,
   * for another batch may find an index blocked at any moment, and what is neither parked nor sent would be lost.
   */
  park(
    keys: readonly AddressedKey[],
    outcomes: Pick<Outcomes, 'wait'>,
  ): { readonly slice: readonly AddressedKey[]; readonly open: readonly BatchTarget[] } {
    const { open } = this
    const blocked = this.#targets.filter((target) => !open.includes(target))
    if (blocked.length === 0) return { slice: keys, open }
    const { sent, waiting } = separate(keys, { open, blocked })
    for (const { key, index } of waiting) outcomes.wait(key, index)
    return { slice: sent, open }
  }

  /**
   * Learns from the verdicts of one request which indices take writes, and returns the verdicts as they count here.
   * Throws Obstructed where no index takes any.
   */
  judge(operations: readonly Operation[], answered: readonly ItemVerdict[]): readonly ItemVerdict[] {
    const verdicts = this.#withoutShards(operations, answered)
    if (this.#tried.size === 0 && !verdicts.some(({ outcome }) => outcome === 'blocked')) return verdicts
    const { refused, taken } = answersByIndex(operations, verdicts)
    for (const index of taken) if (this.#tried.delete(index)) this.#known.took(index)
    const [first] = refused
    if (first === undefined) return verdicts
    const [, { type, reason }] = first
    if (this.#trial) throw new Obstructed({ scope: 'index', type, reason })
    if (!this.#takesBeside(refused)) throw new Obstructed({ scope: 'document', type, reason })
    for (const target of this.#targets) {
      const refusal = refused.get(target.index)
      if (refusal === undefined) continue
      this.#tried.delete(target.index)
      this.#known.refused(this.#document, target, refusal)
    }
    return verdicts
  }

  /** An index without one of its shards is blocked in a trial of it, and where another index goes on. */
  #withoutShards(operations: readonly Operation[], verdicts: readonly ItemVerdict[]): readonly ItemVerdict[] {
    if (!verdicts.some(isWithoutShard)) return verdicts
    const blocked = verdicts.map((verdict) => (isWithoutShard(verdict) ? asBlocked(verdict) : verdict))
    const { refused } = answersByIndex(operations, blocked)
    return this.#trial || this.#takesBeside(refused) ? blocked : verdicts
  }

  /** Whether another index than these takes writes, as far as we know; other tenants' do. */
  #takesBeside(refused: ReadonlyMap<string, Refusal>): boolean {
    return (
      this.#tenants ||
      this.#targets.some((target) => !refused.has(target.index) && !this.#known.holds(target))
    )
  }

  #waits(target: BatchTarget): boolean {
    return !this.#tried.has(target.index) && this.#known.holds(target)
  }
}

/** Keys that at least one open index gets, and which keys wait for which blocked ones. */
export function separate(
  keys: readonly AddressedKey[],
  { open, blocked }: { readonly open: readonly IndexName[]; readonly blocked: readonly IndexName[] },
): {
  readonly sent: readonly AddressedKey[]
  readonly waiting: readonly { readonly key: AddressedKey; readonly index: string }[]
} {
  const waiting: { key: AddressedKey; index: string }[] = []
  const sent = keys.filter((key) => {
    const belongs = (target: IndexName) => key.alias === target.alias && isFor(key.target, target)
    const waits = blocked.filter(belongs)
    for (const { index } of waits) waiting.push({ key, index })
    // A key for an index that is no target any more waits for nothing, and has nothing to send.
    return waits.length === 0 || open.some(belongs)
  })
  return { sent, waiting }
}

type Retry = Extract<ItemVerdict, { outcome: 'retry' }>

/** The index's primary shard, or enough of its copies, did not come within the request's time. */
function isWithoutShard(verdict: ItemVerdict): verdict is Retry {
  return verdict.outcome === 'retry' && verdict.type === 'unavailable_shards_exception'
}

function asBlocked({ type, reason }: Retry): ItemVerdict {
  return { outcome: 'blocked', type, reason }
}

type IndexName = Pick<BatchTarget, 'index' | 'alias' | 'role'>

/** Indices that refused an operation, and those that took all they were sent, by one answer. A busy one did neither. */
export function answersByIndex(
  operations: readonly Operation[],
  verdicts: readonly ItemVerdict[],
): { readonly refused: ReadonlyMap<string, Refusal>; readonly taken: ReadonlySet<string> } {
  const refused = new Map<string, Refusal>()
  const taken = new Set<string>()
  operations.forEach(({ index }, n) => {
    const verdict = verdicts[n]
    if (verdict === undefined) return
    if (verdict.outcome === 'blocked') refused.set(index, { type: verdict.type, reason: verdict.reason })
    else if (verdict.outcome !== 'retry') taken.add(index)
  })
  for (const index of refused.keys()) taken.delete(index)
  return { refused, taken }
}
