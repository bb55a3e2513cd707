import { isTenantPattern } from '../config/tenant-index.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { BatchTarget } from '../queue/types.ts'
import type { AddressedKey } from './addressed.ts'
import type { WorkSession } from './batch-store.ts'
import { wantedAliases } from './encode.ts'
import { loadDocuments } from './load.ts'
import type { Outcomes } from './outcomes.ts'
import type { Parking } from './parking.ts'
import type { TenantIndicesContext } from './tenant-indices.ts'
import { type Transforming, transformDocuments } from './transform.ts'
import type { LoadedDocument } from './types.ts'

export interface SliceContext {
  readonly work: WorkSession
  readonly elasticsearch: TenantIndicesContext['elasticsearch']
  readonly limits: { readonly requestTimeout: number }
  readonly plan: DocumentPlan
  readonly hash: string
  readonly transforming: Transforming | null
}

/** A slice ready to be encoded. */
export interface LoadedSlice {
  /** Keys whose state is known; what became of the others is recorded. */
  readonly keys: readonly AddressedKey[]
  readonly documents: ReadonlyMap<string, LoadedDocument>
  /** Indices to send to, those among them that were made for these rows. */
  readonly open: readonly BatchTarget[]
  readonly server: string
}

/**
 * Loads a slice and lets `transform` have it. Where a row's tenant has no index yet, it is made, and everything is loaded
 * again (see makeTenantIndices); then another tenant may have come, so until nothing is missing.
 */
export async function loadSlice(
  context: SliceContext,
  slice: readonly AddressedKey[],
  { parking, outcomes, open: first }: LoadedInto,
): Promise<LoadedSlice> {
  const { work, limits, plan, transforming } = context
  let keys = slice
  let open = first
  for (;;) {
    const loaded = await loadDocuments(work, plan, keys, limits.requestTimeout)
    const transformed = await transformDocuments(transforming, keys, loaded.documents)
    const { documents } = transformed
    const lacking = isTenantPattern(plan.index) ? withoutIndex(plan, keys, documents, parking) : new Map()
    if (lacking.size === 0) {
      outcomes.impossible(loaded.failures)
      outcomes.failed(transformed.failures)
      outcomes.giveBack(transformed.left)
      const known = without(keys, [...loaded.failures, ...transformed.failures, ...transformed.left])
      return { keys: known, documents, open, server: loaded.server }
    }
    const made = await work.makeTenantIndices(context.elasticsearch, context, lacking)
    parking.add(made.targets)
    open = [...open, ...made.targets]
    outcomes.failed(made.failures)
    keys = without(keys, made.failures)
  }
}

interface LoadedInto {
  readonly parking: Parking
  readonly outcomes: Outcomes
  readonly open: readonly BatchTarget[]
}

function withoutIndex(
  plan: DocumentPlan,
  keys: readonly AddressedKey[],
  documents: ReadonlyMap<string, LoadedDocument>,
  { targets }: Parking,
): ReadonlyMap<string, readonly AddressedKey[]> {
  const known = new Set(targets.map(({ alias }) => alias))
  return new Map([...wantedAliases(plan, keys, documents)].filter(([alias]) => !known.has(alias)))
}

function without(
  keys: readonly AddressedKey[],
  others: readonly { readonly key: string }[],
): readonly AddressedKey[] {
  if (others.length === 0) return keys
  const names = new Set(others.map(({ key }) => key))
  return keys.filter(({ key }) => !names.has(key))
}
