import type pg from 'pg'
import { keysAt } from '../documents/key-address.ts'
import { encodeKey } from '../documents/keys.ts'
import { rowSql } from '../documents/load.ts'
import type { DocumentKey, DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import { sqlState } from '../postgres/connect.ts'
import { readTargets } from '../queue/read-targets.ts'
import { loadDocuments } from '../sync/load.ts'
import { rowReader } from '../sync/row-reader.ts'
import type { Database } from './context.ts'
import { keysOfIds } from './keys-of-ids.ts'

/** For a person who waits. */
const timeoutMs = 30_000

/** Looks a document up that has no row: where it is indexed says what its address was. */
export interface IndexLookup {
  readonly database: Database
  readonly elasticsearch: Elasticsearch
}

/**
 * Keys of the `_id`s that a user typed. Where a key has an address, it is that of the row; where there is no row, those at
 * which the document is indexed; and where it is nowhere, one with nulls, at which nothing is.
 */
export async function keysOfDocuments(
  pool: pg.Pool,
  plan: DocumentPlan,
  ids: readonly string[],
  lookup: () => Promise<IndexLookup | null>,
): Promise<readonly DocumentKey[]> {
  const idKeys = await keysOfIds(pool, plan, ids)
  if (plan.key.length === plan.idParts) return idKeys
  const rows = await rowKeys(pool, plan, idKeys)
  const keys: DocumentKey[] = []
  for (const { key, id, parts } of idKeys) {
    const present = rows.get(key)
    if (present !== undefined) {
      keys.push(keyOf(id, present))
      continue
    }
    const indexed = await indexedKeys(plan, id, await lookup())
    const nowhere = encodeKey(plan.key.map((_, n) => parts[n] ?? null))
    keys.push(...(indexed.length > 0 ? indexed : [nowhere]).map((found) => keyOf(id, found)))
  }
  return keys
}

function keyOf(id: string, key: string): DocumentKey {
  return { key, id, parts: JSON.parse(key) as readonly (string | null)[] }
}

/** Present keys of rows, by the key without an address; none where a column has another name since `install`. */
async function rowKeys(
  pool: pg.Pool,
  { key, idParts, table }: DocumentPlan,
  idKeys: readonly DocumentKey[],
): Promise<ReadonlyMap<string, string>> {
  const client = await pool.connect()
  try {
    const asked = { key, idParts, loadSql: rowSql(table, key, idParts) }
    const { documents } = await loadDocuments(rowReader(client), asked, idKeys, timeoutMs)
    return new Map([...documents].map(([idKey, row]) => [idKey, row.key]))
  } catch (error) {
    if (sqlState(error) === '42703' || sqlState(error) === '42P01') return new Map()
    throw error
  } finally {
    client.release()
  }
}

async function indexedKeys(
  plan: DocumentPlan,
  id: string,
  lookup: IndexLookup | null,
): Promise<readonly string[]> {
  if (lookup === null) return []
  const { database, elasticsearch } = lookup
  const targets = await readTargets(database.pool, database.schema, plan.document)
  const found = await elasticsearch.find(templatePattern(plan.index), id)
  const keys = found.flatMap(({ index, routing }) => {
    const alias = targets.find((target) => target.index === index)?.alias
    return alias === undefined ? [] : keysAt(plan, { alias, id, routing }).map(({ key }) => key)
  })
  return [...new Set(keys)]
}
