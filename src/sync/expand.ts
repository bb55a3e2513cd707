import type { BatchKey, Mark } from '../queue/types.ts'

/** What the marks of one claim come down to. */
export interface Expansion {
  /** Distinct keys, in the order they were first marked. */
  readonly keys: readonly BatchKey[]
  /** Marks without keys: everything of the document may have changed. */
  readonly everything: readonly Mark[]
}

/**
 * Marks → distinct keys of root documents. Duplicates collapse over the whole batch (invariant 2): the
 * state is loaded after the claim, so one look at a key answers all its marks. The oldest origin and the
 * greatest age survive; a mark for one target and a mark for all targets make a key for all.
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
  return { key, origin: mark.origin, target: mark.target, runId: mark.runId, ageMs: mark.ageMs }
}

function merge(known: BatchKey, mark: Mark): BatchKey {
  return {
    key: known.key,
    origin: olderOrigin(known.origin, mark.origin),
    target: known.target === mark.target ? known.target : null,
    runId: known.runId ?? mark.runId,
    ageMs: Math.max(known.ageMs, mark.ageMs),
  }
}

/** The older of two xid8 values as text: shorter is smaller, equal lengths compare as text. */
export function olderOrigin(a: string, b: string): string {
  if (a.length !== b.length) return a.length < b.length ? a : b
  return a < b ? a : b
}
