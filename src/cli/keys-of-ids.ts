import type pg from 'pg'
import { keyPart } from '../documents/key-sql.ts'
import { documentId, encodeKey, partsOfId } from '../documents/keys.ts'
import type { DocumentKey, DocumentPlan } from '../documents/types.ts'
import { UsageError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import { inTransaction } from '../postgres/transaction.ts'

/** A key of which only the id is known. */
export interface IdKey extends DocumentKey {
  readonly parts: readonly string[]
}

/**
 * The `_id`s that a user typed, as keys without an address (see keysOfDocuments). Postgres itself brings each part into the form that marks and views have:
 * "007" is no key of an integer column, and a mark of it would be taken for a row that is gone.
 */
export async function keysOfIds(
  pool: pg.Pool,
  { document, key: columns, idParts }: Pick<DocumentPlan, 'document' | 'key' | 'idParts'>,
  ids: readonly string[],
): Promise<IdKey[]> {
  const key = columns.slice(0, idParts)
  const split = ids.map((id) => {
    const parts = partsOfId(id, key.length)
    if (parts !== null) return parts
    throw new UsageError(
      `${JSON.stringify(id)} is no _id of ${document}, whose key is (${key.map(({ name }) => name).join(', ')})`,
      { remedy: 'Join the columns by ":"; write "%3A" for a ":" and "%25" for a "%" within one.' },
    )
  })
  const texts = key.map(({ type }, n) => keyPart(type, `p.part_${n + 1}::${type}`))
  const arrays = key.map((_, n) => `$${n + 1}::text[]`)
  const names = key.map((_, n) => `part_${n + 1}`)
  const query = `
    SELECT ARRAY[${texts.join(', ')}] AS parts
      FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS p (${names.join(', ')}, n) ORDER BY p.n`
  const values = key.map((_, n) => split.map((parts) => parts[n]))
  try {
    const { rows } = await inTransaction(pool, (client) => client.query<{ parts: string[] }>(query, values), {
      settings: { timezone: 'UTC' },
    })
    return rows.map(({ parts }) => ({ key: encodeKey(parts), parts, id: documentId(parts) }))
  } catch (error) {
    // Data exceptions: no value of its type. The message names the type and the text.
    if (!sqlState(error)?.startsWith('22')) throw error
    const types = key.map(({ name, type }) => `${name} ${type.replace('pg_catalog.', '')}`).join(', ')
    throw new UsageError(`not an _id of ${document}: ${error instanceof Error ? error.message : error}`, {
      remedy: `Its key is (${types}).`,
      cause: error,
    })
  }
}
