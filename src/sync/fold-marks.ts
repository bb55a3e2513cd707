import type { DocumentPlan } from '../documents/types.ts'
import type { BatchKey, Mark, MarkOp } from '../queue/types.ts'
import type { Roots } from './find-roots.ts'

/** Why all of a document may have changed. */
export interface Everything {
  readonly origin: string
  readonly reason: string
  /** The root table was emptied, which explains all deletes. */
  readonly truncated: boolean
  /** A trigger could not tell what changed. */
  readonly alarm: boolean
}

/** What the marks of one claim come down to. */
export interface Folded {
  /** Distinct keys, in the order they were first marked. */
  readonly keys: readonly BatchKey[]
  /** What calls for a look at everything. */
  readonly everything: readonly Everything[]
  /** Marks of related tables that lead to too many documents for this batch. */
  readonly large: readonly Mark[]
}

/** By source and link value: the documents that it leads to. */
export type RootsOfSources = ReadonlyMap<string, ReadonlyMap<string, Roots>>

/**
 * Duplicates collapse over the whole batch and over its sources (invariant 2): the state is loaded after the claim, so
 * one look at a key answers all its marks. The oldest origin, the greatest age and the op that explains most survive; a
 * mark for one target and a mark for all targets make a key for all.
 *
 * @param most keys that a batch may hold before a mark of a related table is too large for it
 */
export function foldMarks(
  { sources }: Pick<DocumentPlan, 'sources'>,
  marks: readonly Mark[],
  { roots, most }: { readonly roots: RootsOfSources; readonly most: number },
): Folded {
  const byKey = new Map<string, BatchKey>()
  const everything: Everything[] = []
  const large: Mark[] = []
  const add = (keys: Iterable<string>, mark: Mark) => {
    for (const key of keys) {
      const known = byKey.get(key)
      byKey.set(key, known === undefined ? fromMark(key, mark) : merge(known, mark))
    }
  }
  for (const mark of marks) {
    const source = sources.find(({ source: name }) => name === mark.source)
    if (mark.source !== '' && source === undefined) {
      // Written for an older definition, or by hand: nobody knows what its keys are.
      everything.push(whole(mark, `marks of "${mark.source}", which the definition does not have`))
    } else if (mark.keys === null) {
      everything.push(whole(mark, mark.source === '' ? mark.op : `${mark.op} of ${mark.source}`))
    } else if (source === undefined || source.expansion === null) {
      add(mark.keys, mark.source === '' ? mark : { ...mark, op: 'update' })
    } else {
      const found = rootsOfMark(mark.keys, roots.get(source.source))
      if (found === 'unreadable') {
        everything.push(whole(mark, `values of ${mark.source} that cannot be looked up`))
      } else if (found === 'many' || byKey.size + missing(found, byKey) > most) large.push(mark)
      // A change of a related row, even its deletion, explains no deletion of the document.
      else add(found, { ...mark, op: 'update' })
    }
  }
  return { keys: [...byKey.values()], everything, large }
}

/** What one of the values cannot be looked up for concerns the whole mark: it leaves the queue as one. */
function rootsOfMark(
  links: readonly string[],
  roots: ReadonlyMap<string, Roots> | undefined,
): ReadonlySet<string> | 'many' | 'unreadable' {
  const found = links.map((link) => roots?.get(link) ?? 'unreadable')
  if (found.includes('unreadable')) return 'unreadable'
  const keys = new Set<string>()
  for (const some of found) {
    if (typeof some === 'string') return 'many'
    for (const key of some) keys.add(key)
  }
  return keys
}

function missing(keys: ReadonlySet<string>, known: ReadonlyMap<string, BatchKey>): number {
  let count = 0
  for (const key of keys) if (!known.has(key)) count += 1
  return count
}

/** A related table that was emptied explains no deletion of a document. */
function whole({ origin, op, source }: Mark, reason: string): Everything {
  return { origin, reason, truncated: op === 'truncate' && source === '', alarm: op === 'alarm' }
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
