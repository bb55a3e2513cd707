import type { DocumentPlan } from '../documents/types.ts'
import type { BatchKey, BatchTarget } from '../queue/types.ts'
import { addressKeys } from './addressed.ts'
import type { RowReader } from './batch-store.ts'
import { encodeOperations } from './encode.ts'
import { loadDocuments } from './load.ts'
import { type Transforming, transformDocuments } from './transform.ts'

/** Rows at a time: failures are few, and each row may be a large one. */
const ROWS = 50

/** What of a key failed: the document as it was sent, null for a delete, or why it could not be sent at all. */
export type FailedState = { readonly body: Buffer | null } | { readonly problem: string }

interface RecheckOptions {
  readonly targets: readonly BatchTarget[]
  readonly timeoutMs: number
  readonly transforming: Transforming | null
}

/**
 * Keys whose row is no longer what failed. To be called under the exclusive lock of the document's failures: a success
 * that settles later finds the failure and erases it, and one that settled earlier has changed the row before this look.
 */
export async function changedSince(
  work: RowReader,
  plan: DocumentPlan,
  failed: ReadonlyMap<BatchKey, FailedState>,
  { targets, timeoutMs, transforming }: RecheckOptions,
): Promise<readonly BatchKey[]> {
  const changed: BatchKey[] = []
  const all = [...failed.keys()]
  for (let start = 0; start < all.length; start += ROWS) {
    const keys = all.slice(start, start + ROWS)
    const addressed = addressKeys(plan, keys)
    const loaded = await loadDocuments(work, plan, addressed.keys, timeoutMs)
    const { documents, ...transformed } = await transformDocuments(
      transforming,
      addressed.keys,
      loaded.documents,
    )
    const encoded = encodeOperations(plan, addressed.keys, documents, targets)
    const bodies = new Map(encoded.operations.map(({ key, body }) => [key, body ?? null]))
    // A row that cannot be read has no document, and looks absent to the encoder: its own reason beats that.
    const problems = new Map(
      [...encoded.failures, ...transformed.failures, ...loaded.failures, ...addressed.failures].map(
        ({ key, reason }) => [key, reason],
      ),
    )
    for (const key of keys) {
      const before = failed.get(key)
      if (before === undefined) continue
      const problem = problems.get(key.key)
      const same =
        'problem' in before
          ? before.problem === problem
          : problem === undefined && sameBody(before.body, bodies.get(key.key) ?? null)
      if (!same) changed.push(key)
    }
  }
  return changed
}

function sameBody(before: Buffer | null, now: Buffer | null): boolean {
  return before === null || now === null ? before === now : before.equals(now)
}
