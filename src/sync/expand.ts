import type { DocumentPlan, SourcePlan } from '../documents/types.ts'
import type { Mark } from '../queue/types.ts'
import type { WorkSession } from './batch-store.ts'
import { findRoots, type Roots } from './find-roots.ts'
import { type Folded, foldMarks } from './fold-marks.ts'

/**
 * A link value that leads to more documents than this is worked off in the bulk lane, as a statement over as many rows is.
 * Ways are counted: a document that it leads to by two of them counts twice.
 */
const FEW_ROOTS = 100

export interface Expansion extends Folded {
  /** By source and link value: the documents that it leads to. */
  readonly roots: ReadonlyMap<string, ReadonlyMap<string, Roots>>
  /** Servers that were asked; none where there was nothing to ask. */
  readonly servers: readonly string[]
}

export interface ExpandOptions {
  /** BATCH_SIZE. A batch holds up to twice as many keys before marks of related tables are too large for it. */
  readonly batchSize: number
  /** REQUEST_TIMEOUT, for the looks at all sources together: meanwhile the claim idles, and would be cut off. */
  readonly timeoutMs: number
  /** Monotonic clock, milliseconds. */
  readonly now: () => number
}

/**
 * Marks → keys of documents. Marks of related tables hold link values, which lead to documents by the state of now. That
 * is complete: a link that changes after this look, or changed before it, brings a mark of its own, with its old value and
 * its new one.
 *
 * At most one bounded query for each source that the claim has marks of.
 */
export async function expandMarks(
  work: Pick<WorkSession, 'readRoots' | 'castLink'>,
  plan: Pick<DocumentPlan, 'sources'>,
  marks: readonly Mark[],
  { batchSize, timeoutMs, now }: ExpandOptions,
): Promise<Expansion> {
  const most = 2 * batchSize
  const roots = new Map<string, ReadonlyMap<string, Roots>>()
  const until = now() + timeoutMs
  const servers: string[] = []
  for (const [source, links] of linksOf(plan, marks)) {
    const { expansion } = source
    if (expansion === null) continue
    const probe = { expansion, links, mostOfEach: FEW_ROOTS, most, until, now }
    const found = await findRoots(work, probe)
    roots.set(source.source, found.roots)
    servers.push(...found.servers)
  }
  return { ...foldMarks(plan, marks, { roots, most }), roots, servers }
}

/** Distinct link values of the marks, by the source they belong to. */
function linksOf(
  { sources }: Pick<DocumentPlan, 'sources'>,
  marks: readonly Mark[],
): ReadonlyMap<SourcePlan, readonly string[]> {
  const links = new Map<SourcePlan, Set<string>>()
  for (const mark of marks) {
    const source = sources.find(({ source: name }) => name === mark.source)
    if (mark.keys === null || source === undefined || source.expansion === null) continue
    const known = links.get(source) ?? new Set()
    links.set(source, known)
    for (const link of mark.keys) known.add(link)
  }
  return new Map([...links].map(([source, values]) => [source, [...values]]))
}
