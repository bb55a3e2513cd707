import { isTenantPattern } from '../config/tenant-index.ts'
import { addressOf } from '../documents/key-address.ts'
import { decodeKey, documentId } from '../documents/keys.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { DocumentAddress } from '../elasticsearch/types.ts'
import { FailedError } from '../errors.ts'
import type { Queryable } from '../postgres/types.ts'
import { readTargets, readTargetsOf } from '../queue/read-targets.ts'
import type { Target } from '../queue/types.ts'

/** Where a document is or should be. */
export interface Place {
  /** Physical index; null: the tenant has none. */
  readonly index: string | null
  readonly alias: string
  readonly id: string
  readonly routing: string | null
  /** A key tuple whose document belongs there; null for an `_id` that no row can have. */
  readonly key: string | null
}

/** The same text for the same place. */
export function placeName({ index, alias, id, routing }: Place): string {
  return JSON.stringify([index ?? alias, id, routing])
}

export function placeAddress({ index, alias, id, routing }: Place): DocumentAddress {
  return { index: index ?? alias, id, ...(routing === null ? {} : { routing }) }
}

/** The indices of a comparison, by alias. */
export type ComparedTargets = ReadonlyMap<string, readonly Target[]>

/** Default: every index that searches see. An index that a reindex fills or keeps is compared when it is named. */
export async function comparedTargets(
  db: Queryable,
  schema: string,
  plan: DocumentPlan,
  names: readonly string[] | null,
): Promise<ComparedTargets> {
  const all = await readTargets(db, schema, plan.document)
  const chosen =
    names === null
      ? all.filter(({ role }) => role === 'live')
      : names.map((name) => all.find(({ index }) => index === name) ?? unknown(plan.document, name))
  if (chosen.length === 0 && !isTenantPattern(plan.index)) {
    throw new FailedError(`no index is registered for "${plan.document}"`, { remedy: 'Run sluice install.' })
  }
  const byAlias = new Map<string, Target[]>()
  for (const target of chosen) byAlias.set(target.alias, [...(byAlias.get(target.alias) ?? []), target])
  return byAlias
}

function unknown(document: string, index: string): never {
  throw new FailedError(`${index} is no index of "${document}" that is written to`)
}

/**
 * Where the documents of a row's key should be. None where the comparison is about other indices; a place without an
 * index where it is about all, and the row's tenant has none.
 */
export function placesOf(
  plan: DocumentPlan,
  targets: ComparedTargets,
  named: boolean,
  key: string,
): readonly Place[] {
  const parts = decodeKey(key, plan.key.length)
  if (parts === null) throw new Error(`the view of ${plan.document} returned a key that is none`)
  const id = documentId(parts.slice(0, plan.idParts))
  const { alias, routing } = addressOf(plan, parts)
  const indices = targets.get(alias)
  if (indices !== undefined) return indices.map(({ index }) => ({ index, alias, id, routing, key }))
  return named ? [] : [{ index: null, alias, id, routing, key }]
}

/** Places whose tenant had no index, as they are now: one may have been made. */
export async function withIndex(
  db: Queryable,
  schema: string,
  { document }: DocumentPlan,
  places: readonly Place[],
): Promise<readonly Place[]> {
  const aliases = places.flatMap(({ index, alias }) => (index === null ? [alias] : []))
  if (aliases.length === 0) return places
  const targets = await readTargetsOf(db, schema, document, [...new Set(aliases)])
  const live = new Map(
    targets.filter(({ role }) => role === 'live').map(({ alias, index }) => [alias, index]),
  )
  return places.map((place) => ({ ...place, index: place.index ?? live.get(place.alias) ?? null }))
}
