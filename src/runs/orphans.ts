import type { Pool } from 'pg'
import { quoteTable } from '../catalog/quote.ts'
import { keysAt, type Listed } from '../documents/key-address.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { sqlState } from '../postgres/connect.ts'
import { READ_SETTINGS } from '../postgres/read-settings.ts'
import { inTransaction } from '../postgres/transaction.ts'
import type { SharedSnapshot } from '../postgres/types.ts'
import { seeOperatorsSql } from './walk-source.ts'

/** What a page of documents from an index comes down to. */
export interface Orphans {
  /** Those whose key has no row in the document's view: nobody has it, or the row belongs to another address. */
  readonly rowless: readonly { readonly key: string; readonly document: Listed }[]
  /** Those that cannot be of this definition, or not where they are: someone else wrote them. */
  readonly foreign: readonly Listed[]
}

interface Candidate {
  readonly document: Listed
  readonly parts: readonly string[]
  /** Any of these keys may be the row's. */
  readonly keys: readonly [string, ...string[]]
}

/** Which documents of an index have no row, now or by a snapshot: one statement for a page. */
export async function findOrphans(
  pool: Pool,
  plan: DocumentPlan,
  schema: string,
  documents: readonly Listed[],
  snapshot?: SharedSnapshot,
): Promise<Orphans> {
  const candidates: Candidate[] = []
  const foreign: Listed[] = []
  for (const document of documents) {
    const [first, ...others] = keysAt(plan, document)
    if (first === undefined || !first.idParts.every((part, n) => mayBe(part, plan.key[n]?.type)))
      foreign.push(document)
    else {
      const keys = [first.key, ...others.map(({ key }) => key)] as const
      candidates.push({ document, parts: first.idParts, keys })
    }
  }
  const sql = missingSql(plan, schema)
  const seeing = seeOperatorsSql(plan.key)
  const rowless = await inHalves(candidates, foreign, (some) =>
    inTransaction(
      pool,
      async (client) => {
        if (seeing !== null) await client.query(seeing)
        return missing(client, sql, some, plan.idParts)
      },
      { settings: READ_SETTINGS, snapshot },
    ),
  )
  return { rowless: rowless.map(({ keys, document }) => ({ key: keys[0], document })), foreign }
}

const WHOLE_NUMBER = /^-?\d+$/
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/
const SHAPES: Readonly<Record<string, RegExp>> = {
  'pg_catalog.int2': WHOLE_NUMBER,
  'pg_catalog.int4': WHOLE_NUMBER,
  'pg_catalog.int8': WHOLE_NUMBER,
  'pg_catalog.uuid': UUID,
}

/**
 * Whether a part has the shape of its type. Only the common key types, and only to save statements: whatever
 * passes and is refused by Postgres all the same (9999999999 as an integer) is found by halving.
 */
function mayBe(part: string, type: string | undefined): boolean {
  const shape = type === undefined ? undefined : SHAPES[type]
  return shape === undefined || shape.test(part)
}

/**
 * The exact text of the key decides, as in the pipeline: '007' is not the document of row 7, though it casts to it.
 * $n: the parts of all candidates' ids; the last two parameters: their keys, and others that the row may have instead.
 */
function missingSql(plan: DocumentPlan, schema: string): string {
  const parts = plan.key.slice(0, plan.idParts)
  const arrays = parts.map((_, n) => `$${n + 1}::text[]`).join(', ')
  const names = parts.map((_, n) => `p${n + 1}`).join(', ')
  const same = parts.map(({ type }, n) => `w.key_${n + 1} = c.p${n + 1}::${type}`).join(' AND ')
  return `
    SELECT c.n
      FROM unnest(${arrays}, $${parts.length + 1}::text[], $${parts.length + 2}::text[])
           WITH ORDINALITY AS c (${names}, key, other, n)
     WHERE NOT EXISTS (
       SELECT FROM ${quoteTable({ schema, name: plan.view })} w WHERE ${same} AND w.key IN (c.key, c.other))`
}

async function missing(
  client: { query: Pool['query'] },
  sql: string,
  candidates: readonly Candidate[],
  idParts: number,
): Promise<Candidate[]> {
  const columns = Array.from({ length: idParts }, (_, n) => candidates.map(({ parts }) => parts[n]))
  const keys = candidates.map((candidate) => candidate.keys[0])
  const others = candidates.map((candidate) => candidate.keys[1] ?? null)
  const { rows } = await client.query<{ n: string }>(sql, [...columns, keys, others])
  return rows.flatMap(({ n }) => candidates[Number(n) - 1] ?? [])
}

/** A part that its type refuses (class 22) fails the page: halving finds the ids to blame, and they are foreign. */
async function inHalves(
  candidates: readonly Candidate[],
  foreign: Listed[],
  find: (some: readonly Candidate[]) => Promise<Candidate[]>,
): Promise<Candidate[]> {
  const [first] = candidates
  if (first === undefined) return []
  try {
    return await find(candidates)
  } catch (error) {
    if (sqlState(error)?.startsWith('22') !== true) throw error
    if (candidates.length === 1) {
      foreign.push(first.document)
      return []
    }
    const middle = Math.ceil(candidates.length / 2)
    const head = await inHalves(candidates.slice(0, middle), foreign, find)
    return [...head, ...(await inHalves(candidates.slice(middle), foreign, find))]
  }
}
