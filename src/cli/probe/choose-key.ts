import type pg from 'pg'
import { quoteIdentifier, quoteTable } from '../../catalog/quote.ts'
import { keyPart } from '../../documents/key-sql.ts'
import { documentId } from '../../documents/keys.ts'
import type { DocumentKey, DocumentPlan } from '../../documents/types.ts'
import type { Elasticsearch } from '../../elasticsearch/client.ts'
import { SluiceError, UnreachableError, UsageError } from '../../errors.ts'
import { inTransaction } from '../../postgres/transaction.ts'
import { readTargets } from '../../queue/read-targets.ts'
import { loadDocuments } from '../../sync/load.ts'
import { rowReader } from '../../sync/row-reader.ts'
import type { Database } from '../context.ts'
import { keysOfDocuments } from '../keys-of-documents.ts'
import { absence, readRow } from '../read-row.ts'

interface Servers {
  readonly database: Database
  readonly elasticsearch: Elasticsearch
}

/** For a person who waits. */
const timeoutMs = 30_000

/** So many are looked at for one that makes a document. */
const candidates = 20

/**
 * The key that is sent through: that of the `_id`, or of any document. It makes a document now: one that makes none would be deleted, and
 * nothing would come out.
 * @throws UsageError for an `_id` without a document, or where none was found
 */
export async function chooseKey(
  servers: Servers,
  plan: DocumentPlan,
  id: string | undefined,
): Promise<DocumentKey> {
  const { pool } = servers.database
  const keys = await keysOf(servers, plan, id === undefined ? await anyIds(servers, plan) : [id])
  const client = await pool.connect()
  try {
    const { documents, failures } = await loadDocuments(rowReader(client), plan, keys, timeoutMs)
    const found = keys.find(({ key }) => documents.get(key)?.problem === null)
    if (found !== undefined) return found
    if (id === undefined) {
      throw new UsageError(`no document of ${plan.document} was found to probe with`, {
        remedy: 'Name one with --id.',
      })
    }
    const [key] = keys
    const problem = failures[0]?.reason ?? (key === undefined ? null : documents.get(key.key)?.problem)
    const why = problem ?? absence(key === undefined ? null : await readRow(client, plan, key), plan)
    throw new UsageError(`${plan.document} ${id} cannot come out: ${why}`, {
      remedy: 'Name another with --id, or none.',
    })
  } finally {
    client.release()
  }
}

function keysOf(
  servers: Servers,
  plan: DocumentPlan,
  ids: readonly string[],
): Promise<readonly DocumentKey[]> {
  return keysOfDocuments(servers.database.pool, plan, ids, async () => servers)
}

/** Indexed ones first: `where` and `transform` have let them through. */
async function anyIds(servers: Servers, plan: DocumentPlan): Promise<readonly string[]> {
  const indexed = await indexedIds(servers, plan)
  return indexed.length > 0 ? indexed : rowIds(servers.database.pool, plan)
}

async function indexedIds(
  { database, elasticsearch }: Servers,
  plan: DocumentPlan,
): Promise<readonly string[]> {
  const [target] = await readTargets(database.pool, database.schema, plan.document)
  if (target === undefined) return []
  try {
    for await (const page of elasticsearch.listDocuments(target.index)) {
      const ids = page.slice(0, candidates).map(({ id }) => id)
      // Somebody else's documents have ids that are no keys.
      await keysOf({ database, elasticsearch }, plan, ids)
      return ids
    }
  } catch (error) {
    if (!(error instanceof SluiceError) || error instanceof UnreachableError) throw error
  }
  return []
}

async function rowIds(pool: pg.Pool, { table, key, idParts }: DocumentPlan): Promise<readonly string[]> {
  const parts = key.slice(0, idParts).map(({ name, type }) => keyPart(type, `t.${quoteIdentifier(name)}`))
  const { rows } = await inTransaction(
    pool,
    (client) =>
      client.query<{ parts: string[] }>(
        `SELECT ARRAY[${parts.join(', ')}] AS parts FROM ${quoteTable(table)} AS t LIMIT ${candidates}`,
      ),
    { settings: { timezone: 'UTC' } },
  )
  return rows.map((row) => documentId(row.parts))
}
