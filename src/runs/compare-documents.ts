import type { Listed } from '../documents/key-address.ts'
import type { Target } from '../queue/types.ts'
import { ahead } from './ahead.ts'
import type { ComparedTargets, Place } from './compare-places.ts'
import type { Suspects } from './compare-suspects.ts'
import type { RunWork } from './context.ts'
import { findOrphans } from './orphans.ts'

/** From the documents to the rows: what is extra. */
export interface DocumentsComparison {
  readonly targets: ComparedTargets
  readonly suspects: Suspects
  /** Told of documents that were looked at. */
  readonly looked: (documents: number) => Promise<void>
}

/** Looks at all documents; returns how many there are. */
export async function compareDocuments(work: RunWork, comparison: DocumentsComparison): Promise<number> {
  const { elasticsearch } = work
  let documents = 0
  for (const target of [...comparison.targets.values()].flat()) {
    await elasticsearch.refresh(target.index)
    for await (const page of ahead(elasticsearch.listDocuments(target.index))) {
      await compareListed(work, comparison, target, page)
      documents += page.length
    }
  }
  return documents
}

/** Looks at some documents of an index. */
export async function compareListed(
  { pool, schema, plan, signal }: RunWork,
  { suspects, looked }: DocumentsComparison,
  { index, alias }: Target,
  page: readonly Omit<Listed, 'alias'>[],
): Promise<void> {
  signal.throwIfAborted()
  const documents = page.map(({ id, routing }) => ({ id, routing, alias }))
  const { rowless, foreign } = await findOrphans(pool, plan, schema, documents)
  const place = ({ id, routing }: Listed, key: string | null): Place => ({ index, alias, id, routing, key })
  await suspects.add([
    ...rowless.map(({ key, document }) => place(document, key)),
    ...foreign.map((document) => place(document, null)),
  ])
  await looked(page.length)
}
