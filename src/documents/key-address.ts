import { isTenantPattern, tenantAlias, tenantOfAlias } from '../config/tenant-index.ts'
import { encodeKey, partsOfId } from './keys.ts'
import type { DocumentPlan } from './types.ts'

/** Where a key's document is: with its `_id`, what an operation is addressed to. */
export interface Address {
  /** Alias of the index: the document's own, or its tenant's. */
  readonly alias: string
  /** Null: by the `_id`. */
  readonly routing: string | null
}

type Plan = Pick<DocumentPlan, 'index' | 'address'>

export function addressOf({ index, address }: Plan, parts: readonly (string | null)[]): Address {
  const { tenant, routing } = address
  return {
    alias: tenant === null ? index : tenantAlias(index, parts[tenant] ?? null),
    // Elasticsearch takes an empty routing for none.
    routing: routing === null ? null : parts[routing] || null,
  }
}

/** A document as a listing shows it. */
export interface Listed {
  readonly alias: string
  readonly id: string
  readonly routing: string | null
}

/**
 * The key tuples whose document could be there: one, or none, which means that nobody wrote it by this definition. Two
 * where it has no routing, for the column may be null or empty.
 */
export function keysAt(
  plan: Plan & Pick<DocumentPlan, 'key' | 'idParts'>,
  { alias, id, routing }: Listed,
): readonly { readonly key: string; readonly idParts: readonly string[] }[] {
  const { address, index, key, idParts: count } = plan
  const idParts = partsOfId(id, count)
  if (idParts === null) return []
  const tenant = isTenantPattern(index) ? tenantOfAlias(index, alias) : null
  if (tenant === undefined) return []
  const routings = routing === null ? [null, ''] : [routing]
  const keys = routings.map((value) => {
    const parts = key.map((_, n) => {
      if (n < count) return idParts[n] ?? null
      return n === address.tenant ? tenant : n === address.routing ? value : null
    })
    return { parts, key: encodeKey(parts), idParts }
  })
  return keys.filter(({ parts, key: text }, n) => {
    const there = addressOf(plan, parts)
    const again = keys.slice(0, n).some((earlier) => earlier.key === text)
    return !again && (address.tenant === null || there.alias === alias) && there.routing === routing
  })
}
