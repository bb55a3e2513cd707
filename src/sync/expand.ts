import type { BatchKey, Mark, MarkOp } from '../queue/types.ts'

/** What the marks of one claim come down to. */
export interface Expansion {
  /** Distinct keys, in the order they were first marked. */
  readonly keys: readonly BatchKey[]
  /** Marks without keys: everything of the document may have changed. */
  readonly everything: readonly Mark[]
}

/**
 * Marks → distinct keys of root documents. Duplicates collapse over the whole batch (invariant 2): the
 * state is loaded after the claim, so one look at a key answers all its marks. The oldest origin, the
 * greatest age and the op that explains most survive; a mark for one target and a mark for all targets make a
 * key for all.
 */
export function expandMarks(marks: readonly Mark[]): Expansion {
  const byKey = new Map<string, BatchKey>()
  const everything: Mark[] = []
  for (const mark of marks) {
    if (mark.keys === null) {
      everything.push(mark)
      continue
    }
    for (const key of mark.keys) {
      const known = byKey.get(key)
      byKey.set(key, known === undefined ? fromMark(key, mark) : merge(known, mark))
    }
  }
  return { keys: [...byKey.values()], everything }
}

function fromMark(key: string, mark: Mark): BatchKey {
  const { origin, target, runId, ageMs, op } = mark
  return { key, origin, target, runId, ageMs, op }
}

function merge(known: BatchKey, mark: Mark): BatchKey {
  return {
    key: known.key,
    origin: olderOrigin(known.origin, mark.origin),
    target: known.target === mark.target ? known.target : null,
    runId: known.runId ?? mark.runId,
    ageMs: Math.max(known.ageMs, mark.ageMs),
    op: explains(mark.op) > explains(known.op) ? mark.op : known.op,
  }
}

/**
 * What an op says about a row that is found gone, for the mass-delete brake. 2: the application deleted it.
 * 1: it was there when the mark was written, so whatever took it away was captured, too. 0: nobody has seen it.
 */
export function explains(op: MarkOp): 0 | 1 | 2 {
  switch (op) {
    case 'delete':
      return 2
    case 'insert':
    case 'update':
    case 'backfill':
      return 1
    default:
      return 0
  }
}

/** The older of two xid8 values as text: shorter is smaller, equal lengths compare as text. */
export function olderOrigin(a: string, b: string): string {
  if (a.length !== b.length) return a.length < b.length ? a : b
  return a < b ? a : b
}
