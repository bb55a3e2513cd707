import { addressOf } from '../documents/key-address.ts'
import { decodeKey, documentId } from '../documents/keys.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { BatchKey } from '../queue/types.ts'
import type { KeyFailure } from './types.ts'

/** A key taken apart: the `_id` and where its document is, if it is there. */
export interface AddressedKey extends BatchKey {
  readonly parts: readonly (string | null)[]
  readonly id: string
  /** Alias of the index that its document belongs to. */
  readonly alias: string
  readonly routing: string | null
}

export type AddressPlan = Pick<DocumentPlan, 'key' | 'idParts' | 'index' | 'address'>

/**
 * Takes keys apart. Those of one id (a row that moved has several) come together: they share one look at the row, and
 * what is sent of them has an order (encode.ts).
 */
export function addressKeys(
  plan: AddressPlan,
  keys: readonly BatchKey[],
): { readonly keys: readonly AddressedKey[]; readonly failures: readonly KeyFailure[] } {
  const addressed: AddressedKey[] = []
  const failures: KeyFailure[] = []
  for (const key of keys) {
    const one = addressKey(plan, key)
    if (one !== null) addressed.push(one)
    else {
      const reason = `not a key of ${plan.key.length} parts`
      failures.push({ key: key.key, id: key.key, type: 'invalid_key', reason })
    }
  }
  return { keys: hasAddress(plan) ? together(addressed) : addressed, failures }
}

/** A key taken apart, or null where it is none. */
export function addressKey(plan: AddressPlan, key: BatchKey): AddressedKey | null {
  const parts = decodeKey(key.key, plan.key.length)
  if (parts === null) return null
  const { alias, routing } = addressOf(plan, parts)
  const id = documentId(hasAddress(plan) ? parts.slice(0, plan.idParts) : parts)
  // Not `...key`: there are thousands of these at a time, and so spread they take half as much memory again.
  const { origin, target, runId, ageMs, op } = key
  return { key: key.key, origin, target, runId, ageMs, op, parts, id, alias, routing }
}

/** Whether keys say more than the id: only then can a row be at another address than a key. */
function hasAddress({ key, idParts }: Pick<AddressPlan, 'key' | 'idParts'>): boolean {
  return key.length > idParts
}

/** About `most` keys from a position on, without separating those of one id. */
export function nextSlice(
  keys: readonly AddressedKey[],
  start: number,
  most: number,
): readonly AddressedKey[] {
  let end = start + most
  while (end < keys.length && keys[end]?.id === keys[end - 1]?.id) end += 1
  return keys.slice(start, end)
}

/** Keys that stand together and have one id. */
export function groupsById(
  plan: Pick<DocumentPlan, 'key' | 'idParts'>,
  keys: readonly AddressedKey[],
): readonly (readonly AddressedKey[])[] {
  if (!hasAddress(plan)) return keys.map((key) => [key])
  const groups: (readonly AddressedKey[])[] = []
  for (let start = 0; start < keys.length; ) {
    const group = nextSlice(keys, start, 1)
    start += group.length
    groups.push(group)
  }
  return groups
}

function together(keys: readonly AddressedKey[]): readonly AddressedKey[] {
  const groups = new Map<string, AddressedKey[]>()
  for (const key of keys) {
    const group = groups.get(key.id)
    if (group === undefined) groups.set(key.id, [key])
    else group.push(key)
  }
  return [...groups.values()].flat()
}
