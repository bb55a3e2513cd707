import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

export interface FailureFilter {
  readonly document?: string
  readonly type?: string
  readonly state?: 'retrying' | 'dead'
  /** `_id`s. */
  readonly ids?: readonly string[]
  /** Only those that come after this one, in the order of the list. */
  readonly after?: FailurePlace
}

/** What tells a failure from the others, and where it stands in the list. */
export type FailurePlace = readonly [lastFailedAt: string, document: string, key: string, target: string]

/** A row of sync_failed. Times are UTC, ISO 8601. */
export interface FailedDocument {
  readonly document: string
  readonly id: string
  readonly key: string
  /** Physical index that refused it; '' when it could not be read or encoded. */
  readonly target: string
  readonly state: 'retrying' | 'dead'
  readonly attempts: number
  /** When it is marked again; null when dead. */
  readonly dueAt: string | null
  readonly type: string
  readonly reason: string
  readonly version: string
  readonly firstFailedAt: string
  readonly lastFailedAt: string
}

/** Failures of one document, type and reason: a row of the view sync_failures. */
export interface FailureGroup {
  readonly document: string
  readonly type: string
  readonly reason: string
  readonly retrying: number
  readonly dead: number
  readonly firstFailedAt: string
  readonly lastFailedAt: string
}

const utc = (column: string, name: string) =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "${name}"`

/** Failures, the latest first: to the millisecond, as they are shown. Rides the primary key where a document is named. */
export async function readFailures(
  db: Queryable,
  schema: string,
  { document, type, state, ids, after }: FailureFilter,
  limit: number | null,
): Promise<readonly FailedDocument[]> {
  const { rows } = await db.query<FailedDocument>(
    `SELECT document, id, key, target, state, attempts, ${utc('due_at', 'dueAt')}, type, reason, version::text,
            ${utc('first_failed_at', 'firstFailedAt')}, ${utc('last_failed_at', 'lastFailedAt')}
       FROM ${escapeIdentifier(schema)}.sync_failed
      WHERE ($1::text IS NULL OR document = $1) AND ($2::text IS NULL OR type = $2)
        AND ($3::text IS NULL OR state = $3) AND ($4::text[] IS NULL OR id = ANY ($4))
        AND ($6::timestamptz IS NULL OR date_trunc('milliseconds', last_failed_at) < $6
             OR date_trunc('milliseconds', last_failed_at) = $6 AND (document, key, target) > ($7::text, $8::text, $9::text))
      ORDER BY date_trunc('milliseconds', last_failed_at) DESC, document, key, target LIMIT $5`,
    [
      document ?? null,
      type ?? null,
      state ?? null,
      ids ?? null,
      limit,
      ...(after ?? [null, null, null, null]),
    ],
  )
  return rows
}

/** The same by document, type and reason, the most frequent first. */
export async function readFailureGroups(
  db: Queryable,
  schema: string,
  { document, type, state }: Omit<FailureFilter, 'ids' | 'after'>,
): Promise<readonly FailureGroup[]> {
  const { rows } = await db.query<FailureGroup>(
    `SELECT document, type, reason, retrying::float8, dead::float8,
            ${utc('first_failed_at', 'firstFailedAt')}, ${utc('last_failed_at', 'lastFailedAt')}
       FROM ${escapeIdentifier(schema)}.sync_failures
      WHERE ($1::text IS NULL OR document = $1) AND ($2::text IS NULL OR type = $2)
        AND CASE $3::text WHEN 'dead' THEN dead > 0 WHEN 'retrying' THEN retrying > 0 ELSE true END
      ORDER BY failures DESC, document, type, reason`,
    [document ?? null, type ?? null, state ?? null],
  )
  return rows
}
