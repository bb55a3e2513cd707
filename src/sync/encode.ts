import { indexNameProblem } from '../config/index-name.ts'
import { cleanJson } from '../documents/clean-json.ts'
import { idProblem } from '../elasticsearch/bulk.ts'
import type { Operation } from '../elasticsearch/types.ts'
import { isFor } from '../queue/is-for.ts'
import type { BatchTarget } from '../queue/types.ts'
import { type AddressedKey, type AddressPlan, addressKey, groupsById } from './addressed.ts'
import { olderOrigin } from './fold-marks.ts'
import type { KeyFailure, LoadedDocument } from './types.ts'

/** What a slice's keys become: operations to send, and keys that can never be one. */
export interface Encoded {
  readonly operations: readonly Operation[]
  readonly failures: readonly KeyFailure[]
  /** Keys that need no operation: they have no row, and no index has or can have their document. */
  readonly gone: readonly string[]
  /** Keys of rows that are at another address now: nothing is lost with what is deleted of them. */
  readonly moved: readonly string[]
  /** Keys that nobody marked, and that have to be written all the same: the present ones of moved rows. */
  readonly added: readonly AddressedKey[]
}

type EncodePlan = AddressPlan & { readonly pipeline: string | null }

/**
 * Keys and their current state → operations, for each key and index of its alias.
 * A row found at the key's address → `index`; none there → `delete` (invariant 12: absence was proven by the load). What
 * Elasticsearch cannot hold is told apart here, before it could spoil the request of a thousand others.
 *
 * Of a row that moved within an index, the old address is deleted first and the present one written after it, in this
 * order and although nobody may have marked it: `_id`s are unique in a shard, so that two routings of one may be a single
 * document, or two. A delete of the old address alone would take the document with it that an earlier batch wrote at the
 * new one. Both have the batch's version, which `external_gte` allows; another batch's is lower and loses, or higher and
 * does the same with a state at least as new.
 */
export function encodeOperations(
  plan: EncodePlan,
  keys: readonly AddressedKey[],
  documents: ReadonlyMap<string, LoadedDocument>,
  targets: readonly BatchTarget[],
): Encoded {
  const operations: Operation[] = []
  const failures: KeyFailure[] = []
  const gone: string[] = []
  const moved: string[] = []
  const added: AddressedKey[] = []
  const byAlias = new Map<string, BatchTarget[]>()
  for (const target of targets) byAlias.set(target.alias, [...(byAlias.get(target.alias) ?? []), target])

  const pipeline = plan.pipeline ?? undefined
  const place = (key: AddressedKey, json: Buffer | null): number => {
    const body = json === null ? null : cleanJson(json)
    const { id, alias, target } = key
    const routing = key.routing ?? undefined
    let count = 0
    for (const registered of byAlias.get(alias) ?? []) {
      if (!isFor(target, registered)) continue
      const { index } = registered
      count += 1
      operations.push(
        body === null
          ? { kind: 'delete', index, id, key: key.key, routing }
          : { kind: 'index', index, id, key: key.key, routing, pipeline, body },
      )
    }
    return count
  }

  for (const group of groupsById(plan, keys)) {
    const current = presentOf(group, documents)
    for (const key of group) {
      if (key.key === current?.key) continue
      if (current !== null) moved.push(key.key)
      if (idProblem(key.id) !== null || place(key, null) === 0) gone.push(key.key)
    }
    const home = current === null ? null : homeOf(plan, group, current.key)
    if (current === null || home === null) continue
    const { key, isNew } = home
    const problem = current.problem ?? idProblem(key.id) ?? aliasProblem(plan, key.alias)
    if (isNew) added.push(key)
    if (problem !== null)
      failures.push({ key: key.key, id: key.id, type: 'unindexable_value', reason: problem })
    else place(key, current.json)
  }
  return { operations, failures, gone, moved, added }
}

/** The row of a group, or null where there is none. */
function presentOf(
  group: readonly AddressedKey[],
  documents: ReadonlyMap<string, LoadedDocument>,
): LoadedDocument | null {
  for (const { key } of group) {
    const document = documents.get(key)
    if (document !== undefined) return document
  }
  return null
}

/**
 * The key by which a row is written: the marked one, or that of its present address, where one of another address in the
 * same index was marked; null where the row is elsewhere altogether, and its own mark says so there. It goes where any
 * of the old ones goes.
 */
function homeOf(
  plan: AddressPlan,
  group: readonly AddressedKey[],
  present: string,
): { readonly key: AddressedKey; readonly isNew: boolean } | null {
  const [first] = group
  if (first === undefined) return null
  if (group.length === 1 && first.key === present) return { key: first, isNew: false }
  const marked = group.find(({ key }) => key === present)
  // It is no key of the run that marked an old one, and does not count there.
  const origin = group.map((key) => key.origin).reduce(olderOrigin)
  const own = marked ?? addressKey(plan, { ...first, origin, runId: null, key: present })
  if (own === null) return null
  const neighbours = group.filter(({ alias }) => alias === own.alias)
  if (neighbours.length === 0) return null
  const [target, ...others] = new Set(neighbours.map((key) => key.target))
  const wide = { ...own, target: others.length === 0 ? (target ?? null) : null }
  return { key: wide, isNew: marked === undefined }
}

/** Why a tenant cannot have an index, or null. */
function aliasProblem({ address }: AddressPlan, alias: string): string | null {
  const problem = address.tenant === null ? null : indexNameProblem(alias)
  if (problem === null) return null
  const shown = alias.length > 80 ? `${alias.slice(0, 79)}…` : alias
  return `the tenant's index cannot be named ${shown}: it ${problem}`
}

/** Aliases that need an index, for the row of a key is there. */
export function wantedAliases(
  plan: AddressPlan,
  keys: readonly AddressedKey[],
  documents: ReadonlyMap<string, LoadedDocument>,
): ReadonlyMap<string, readonly AddressedKey[]> {
  const wanted = new Map<string, AddressedKey[]>()
  for (const key of keys) {
    const document = documents.get(key.key)
    if (document === undefined || document.json === null || document.problem !== null) continue
    const present = document.key === key.key ? key : addressKey(plan, { ...key, key: document.key })
    if (present?.alias !== key.alias || aliasProblem(plan, key.alias) !== null) continue
    const known = wanted.get(key.alias)
    if (known === undefined) wanted.set(key.alias, [key])
    else known.push(key)
  }
  return wanted
}
