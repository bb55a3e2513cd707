import { cleanJson } from '../documents/clean-json.ts'
import { decodeKey, documentId } from '../documents/keys.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { idProblem } from '../elasticsearch/bulk.ts'
import type { Operation } from '../elasticsearch/types.ts'
import type { BatchKey, Target } from '../queue/types.ts'
import type { KeyFailure, LoadedDocument } from './types.ts'

/** What a slice's keys become: operations to send, and keys that can never be one. */
export interface Encoded {
  readonly operations: readonly Operation[]
  readonly failures: readonly KeyFailure[]
  /** Keys that have no row, and whose id no index can hold: there is nothing to send, and nothing wrong with them. */
  readonly gone: readonly string[]
}

/**
 * Keys and their current state → operations, one for each key and target.
 * A row found → `index`; none found → `delete` (invariant 12: absence was proven by the load). What
 * Elasticsearch cannot hold is told apart here, before it could spoil the request of a thousand others.
 */
export function encodeOperations(
  plan: Pick<DocumentPlan, 'key' | 'idParts'>,
  keys: readonly BatchKey[],
  documents: ReadonlyMap<string, LoadedDocument>,
  targets: readonly Target[],
): Encoded {
  const operations: Operation[] = []
  const failures: KeyFailure[] = []
  const gone: string[] = []
  for (const { key, target } of keys) {
    const parts = decodeKey(key, plan.key.length)
    if (parts === null) {
      failures.push({ key, id: key, type: 'invalid_key', reason: `not a key of ${plan.key.length} parts` })
      continue
    }
    const id = documentId(parts.slice(0, plan.idParts))
    const document = documents.get(key)
    const problem = document === undefined ? null : (document.problem ?? idProblem(id))
    if (problem !== null) {
      failures.push({ key, id, type: 'unindexable_value', reason: problem })
      continue
    }
    if (document === undefined && idProblem(id) !== null) {
      gone.push(key)
      continue
    }
    const body = document === undefined ? undefined : cleanJson(document.json)
    for (const { index } of targets) {
      if (target !== null && target !== index) continue
      operations.push(
        body === undefined ? { kind: 'delete', index, id, key } : { kind: 'index', index, id, key, body },
      )
    }
  }
  return { operations, failures, gone }
}
