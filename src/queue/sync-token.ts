import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** A document that was given up; `id` is null where a verify of everything was. */
export interface DeadDocument {
  readonly document: string
  /** Its `_id`. */
  readonly id: string | null
  /** Physical index that refused it; null: it could not be read or encoded. */
  readonly index: string | null
  readonly type: string
  /** Without document values. */
  readonly reason: string
}

/** What of a document a token waits for. */
export interface Pending {
  readonly document: string
  readonly state: 'active' | 'paused' | 'detached'
  /** Whether a living daemon works on it. */
  readonly attended: boolean
  readonly keys: number
  /** Keys that wait for somebody's decision, or for an index. */
  readonly parked: number
  readonly retrying: number
  /** A verify that stands for everything of the document. */
  readonly runId: string | null
}

/** Token for all that is committed now, and for what the transaction has written that `db` may be in. 0.1 ms. */
export async function makeSyncToken(db: Queryable, schema: string): Promise<string> {
  const { rows } = await db.query<{ token: string }>(
    `SELECT ${escapeIdentifier(schema)}.sync_token() AS token`,
  )
  return rows[0]?.token ?? ''
}

/** is_synced() and the three below ask about one document, or about all (null). */
export interface TokenQuestion {
  readonly token: string
  readonly document: string | null
}

export async function isSynced(
  db: Queryable,
  schema: string,
  { token, document }: TokenQuestion,
): Promise<boolean> {
  const { rows } = await db.query<{ synced: boolean }>(
    `SELECT ${escapeIdentifier(schema)}.is_synced($1, $2) AS synced`,
    [token, document],
  )
  return rows[0]?.synced === true
}

/** To be asked after isSynced() has said yes: the other way round, what dies in between is in neither answer. */
export async function readDeadOf(
  db: Queryable,
  schema: string,
  { token, document }: TokenQuestion,
): Promise<readonly DeadDocument[]> {
  const { rows } = await db.query<DeadDocument>(
    `SELECT document, id, index, type, reason FROM ${escapeIdentifier(schema)}.sync_dead($1, $2)`,
    [token, document],
  )
  return rows
}

/** Empty also while the token's own transaction is open. Reads the marks: half a second with a million of them. */
export async function readPendingOf(
  db: Queryable,
  schema: string,
  { token, document }: TokenQuestion,
): Promise<readonly Pending[]> {
  const { rows } = await db.query<Pending>(
    `SELECT document, state, attended, keys::float8, parked::float8, retrying::float8, run_id::text AS "runId"
       FROM ${escapeIdentifier(schema)}.sync_pending($1, $2)`,
    [token, document],
  )
  return rows
}
