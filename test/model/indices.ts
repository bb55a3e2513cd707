import type { Order } from './orders.ts'
import type { IndexName, Mark, Operation, ReindexStep, State } from './state.ts'

export interface Target {
  readonly index: IndexName
  readonly role: 'live' | 'kept' | 'building'
}

const OLD: readonly Target[] = [{ index: 'old', role: 'live' }]
const BOTH: readonly Target[] = [
  { index: 'old', role: 'live' },
  { index: 'new', role: 'building' },
]
const SWAPPED: readonly Target[] = [
  { index: 'new', role: 'live' },
  { index: 'old', role: 'kept' },
]
const NEW: readonly Target[] = [{ index: 'new', role: 'live' }]

/** What a batch writes to (`sync_index`, without what is retired), when the reindex is so far. */
export function targetsAt(step: ReindexStep): readonly Target[] {
  switch (step) {
    case 'none':
    case 'walked':
      return OLD
    case 'walk':
    case 'drain':
    case 'swap':
      return BOTH
    case 'swapped':
      return SWAPPED
    case 'retired':
      return NEW
  }
}

/** As src/queue/is-for.ts, of a key that these marks have marked: one for all makes a key for all. */
export function isForTarget(marks: readonly Mark[], { role }: Target): boolean {
  return marks.some(({ target }) => target === 'all') || role === 'building'
}

/**
 * An operation arrives. `external_gte`: applied unless a higher version is there. An index that is gone is not created
 * again (`allow_auto_create: false`), and the operation is refused.
 */
export function applied(
  { indices }: Pick<State, 'indices'>,
  { index, version, content }: Operation,
  { versioned }: Pick<Order, 'versioned'>,
): { readonly outcome: 'applied' | 'superseded' | 'gone'; readonly indices: State['indices'] } {
  const slot = indices[index]
  if (slot === null) return { outcome: 'gone', indices }
  if (versioned && version < slot.version) return { outcome: 'superseded', indices }
  return { outcome: 'applied', indices: { ...indices, [index]: { version, content } } }
}
