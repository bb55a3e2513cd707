import { decodeKey, documentId } from '../documents/keys.ts'
import type { DocumentKey } from '../documents/types.ts'
import { sqlState } from '../postgres/connect.ts'
import { isDataError } from '../postgres/read-transaction.ts'
import type { LoadPlan, RowReader } from './batch-store.ts'
import type { KeyFailure, LoadedDocument } from './types.ts'
import { withoutValues } from './without-values.ts'

/** Current state of a slice: rows found, keys whose row cannot be read, and the server that was asked. */
export interface Loaded {
  /** By the key that was asked for. */
  readonly documents: ReadonlyMap<string, LoadedDocument>
  readonly failures: readonly KeyFailure[]
  readonly server: string
}

/**
 * Keys → current documents. A row that cannot be read (SQLSTATE class 22, or 54000) is found by
 * halving; any other error is not one row's fault and is thrown. Keys of one id are one look at one row.
 */
export async function loadDocuments(
  reader: RowReader,
  plan: LoadPlan,
  keys: readonly DocumentKey[],
  timeoutMs: number,
): Promise<Loaded> {
  const rows = new Map<string, LoadedDocument>()
  const refused = new Map<string, Omit<KeyFailure, 'key' | 'id'>>()
  let server: string | null = null

  const loadHalving = async (some: readonly DocumentKey[]): Promise<void> => {
    try {
      const asked = await loadOnce(reader, plan, some, { timeoutMs, into: rows })
      server = server === null || server === asked ? asked : 'changed'
    } catch (error) {
      if (!isDataError(error)) throw error
      const [key] = some
      if (some.length === 1 && key !== undefined) {
        refused.set(key.id, {
          type: `sqlstate_${sqlState(error)}`,
          reason: `the row cannot be read: ${withoutValues(error)}`,
        })
        return
      }
      const middle = Math.ceil(some.length / 2)
      await loadHalving(some.slice(0, middle))
      await loadHalving(some.slice(middle))
    }
  }
  await loadHalving(plan.key.length > plan.idParts ? onePerId(keys) : keys)

  // A key of one part is the id.
  const documents = plan.key.length === 1 ? rows : byKey(keys, rows)
  const failures: KeyFailure[] = []
  if (refused.size > 0) {
    for (const { key, id } of keys) {
      const failure = refused.get(id)
      if (failure !== undefined) failures.push({ key, id, ...failure })
    }
  }
  return { documents, failures, server: server ?? 'unknown' }
}

function byKey(
  keys: readonly DocumentKey[],
  rows: ReadonlyMap<string, LoadedDocument>,
): ReadonlyMap<string, LoadedDocument> {
  const documents = new Map<string, LoadedDocument>()
  for (const { key, id } of keys) {
    const document = rows.get(id)
    if (document !== undefined) documents.set(key, document)
  }
  return documents
}

/** Returns the server that was asked. */
async function loadOnce(
  reader: RowReader,
  plan: LoadPlan,
  keys: readonly DocumentKey[],
  { timeoutMs, into }: { readonly timeoutMs: number; readonly into: Map<string, LoadedDocument> },
): Promise<string> {
  const { rows, server } = await reader.readRows(plan, keys, timeoutMs)
  for (const [position, key, json, problem] of rows) {
    const asked = keys[position - 1]
    // Exact text decides: under a case-insensitive collation 'ABC' finds the row 'abc', which is another document.
    if (asked !== undefined && isOf(plan, key, asked)) into.set(asked.id, { key, json, problem })
  }
  return server
}

/** Whether a row's key is that of the id that was asked for, at whatever address. */
function isOf({ key, idParts }: LoadPlan, found: string, asked: DocumentKey): boolean {
  if (found === asked.key) return true
  if (key.length === idParts) return false
  const parts = decodeKey(found, key.length)
  return parts !== null && documentId(parts.slice(0, idParts)) === asked.id
}

function onePerId(keys: readonly DocumentKey[]): readonly DocumentKey[] {
  return [...new Map(keys.map((key) => [key.id, key])).values()]
}
