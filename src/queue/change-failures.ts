import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Which failures; what is null filters nothing. */
export interface FailureChoice {
  readonly document: string | null
  readonly keys: readonly string[] | null
  readonly type: string | null
}

/** Marks failed documents again, with fresh attempts; returns how many. Waits for settlements of theirs under way. */
export function retryFailed(db: Queryable, schema: string, choice: FailureChoice): Promise<number> {
  return call(db, schema, 'retry_failed', choice)
}

/** Forgets dead letters, and returns how many; those that are still being retried stay. */
export function discardFailed(db: Queryable, schema: string, choice: FailureChoice): Promise<number> {
  return call(db, schema, 'discard_failed', choice)
}

async function call(
  db: Queryable,
  schema: string,
  name: 'retry_failed' | 'discard_failed',
  { document, keys, type }: FailureChoice,
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT ${escapeIdentifier(schema)}.${name}($1::text, $2::text[], $3::text)::float8 AS count`,
    [document, keys, type],
  )
  return rows[0]?.count ?? 0
}
