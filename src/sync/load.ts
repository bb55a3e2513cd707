import type pg from 'pg'
import { decodeKey } from '../documents/keys.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { sqlState } from '../postgres/connect.ts'
import { readConditions } from '../postgres/read-settings.ts'
import { lastResult, rollback } from '../postgres/transaction.ts'
import type { KeyFailure, LoadedDocument } from './types.ts'

/** Current state of a slice: rows found, keys whose row cannot be read, and the server's timeline. */
export interface Loaded {
  readonly documents: ReadonlyMap<string, LoadedDocument>
  readonly failures: readonly KeyFailure[]
  readonly timeline: string
}

/** pg_current_wal_lsn() raises on a replica: what is absent there need not be absent (invariant 12). */
const beginLoad = (timeoutMs: number) => `
  BEGIN READ ONLY; ${readConditions};
  SET LOCAL statement_timeout = ${timeoutMs};
  SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline`

/**
 * Keys → current documents, in a short transaction of its own, so that no lock on the application's tables
 * outlives the query (invariant 9). A row that cannot be read (SQLSTATE class 22, or 54000) is found by
 * halving; any other error is not one row's fault and is thrown.
 */
export async function loadDocuments(
  client: pg.PoolClient,
  plan: Pick<DocumentPlan, 'key' | 'loadSql'>,
  keys: readonly string[],
  timeoutMs: number,
): Promise<Loaded> {
  const documents = new Map<string, LoadedDocument>()
  const failures: KeyFailure[] = []
  let timeline: string | null = null

  const loadHalving = async (some: readonly string[]): Promise<void> => {
    try {
      const loaded = await loadOnce(client, plan, some, timeoutMs)
      for (const [key, document] of loaded.documents) documents.set(key, document)
      timeline = timeline === null || timeline === loaded.timeline ? loaded.timeline : 'changed'
    } catch (error) {
      if (!isRowError(error)) throw error
      const [key] = some
      if (some.length === 1 && key !== undefined) {
        failures.push({ key, id: key, type: `sqlstate_${sqlState(error)}`, reason: rowErrorReason(error) })
        return
      }
      const middle = Math.ceil(some.length / 2)
      await loadHalving(some.slice(0, middle))
      await loadHalving(some.slice(middle))
    }
  }
  await loadHalving(keys)
  return { documents, failures, timeline: timeline ?? 'unknown' }
}

type LoadRow = [position: string, key: string, document: string, problem: string | null]

async function loadOnce(
  client: pg.PoolClient,
  plan: Pick<DocumentPlan, 'key' | 'loadSql'>,
  keys: readonly string[],
  timeoutMs: number,
): Promise<{ documents: Map<string, LoadedDocument>; timeline: string }> {
  try {
    const timeline = lastResult(await client.query(beginLoad(timeoutMs)))?.rows[0]?.timeline
    const values = columnsOf(keys, plan.key.length)
    const { rows } = await client.query<LoadRow>({ text: plan.loadSql, values, rowMode: 'array' })
    await client.query('COMMIT')
    const documents = new Map<string, LoadedDocument>()
    for (const [position, key, json, problem] of rows) {
      // Exact text decides: under a case-insensitive collation 'ABC' finds the row 'abc', which is another document.
      if (keys[Number(position) - 1] === key) documents.set(key, { json, problem })
    }
    return { documents, timeline: String(timeline) }
  } catch (error) {
    await rollback(client)
    throw error
  }
}

/** Keys → one array per key part, aligned. A malformed key becomes NULLs and finds no row; encode reports it. */
function columnsOf(keys: readonly string[], parts: number): (string | null)[][] {
  const columns = Array.from({ length: parts }, (): (string | null)[] => [])
  for (const key of keys) {
    const decoded = decodeKey(key, parts)
    columns.forEach((column, n) => {
      column.push(decoded?.[n] ?? null)
    })
  }
  return columns
}

/** Data exceptions (class 22: overflow, invalid text, division by zero) and 54000 (a value too large) are one row's fault. */
function isRowError(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && (state.startsWith('22') || state === '54000')
}

/** The condition's name is enough; Postgres's message quotes the value. */
function rowErrorReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return `the row cannot be read: ${message.replace(/"[^"]*"$|: "[^"]*"/, '').trim()}`
}
