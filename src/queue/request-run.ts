import { escapeIdentifier } from 'pg'
import { UsageError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import type { Queryable } from '../postgres/types.ts'

/**
 * Options of a verify that sluice itself asks for: it puts everything right without knowing what is wrong, by marking every
 * row and every document without one. A verify that a user asks for compares, and tells.
 */
export const REWRITE = { repair: 'rewrite' } as const

/** The same as an SQL literal. */
export const rewriting = `'${JSON.stringify(REWRITE)}'::jsonb`

export interface RunRequest {
  readonly kind: 'backfill' | 'reindex' | 'verify' | 'optimize'
  readonly document: string
  readonly options?: object
  /** Why, when sluice itself asks; a user's request has none. */
  readonly reason?: string
  /** Default: the session's user. */
  readonly requestedBy?: string
  /** Keys it will come to, as far as the request can tell. */
  readonly total?: number | null
  /** Transaction that made it necessary, as text; default: this one. */
  readonly origin?: string
  /** A TRUNCATE made this verify necessary, and explains all the deletes it will ask for. */
  readonly truncated?: boolean
  /**
   * What to do when a run of the document is under way. `report` (default): nothing, the caller tells its id.
   * `verify-after`: have a rewriting verify follow it; such a one that is requested and not begun will see everything anyway.
   */
  readonly onActive?: 'report' | 'verify-after'
}

export interface RequestedRun {
  readonly id: string
  /** True when that run was under way already. */
  readonly existing: boolean
}

/**
 * Requests a run, or finds the one under way: at most one of a document is active (sync_run_one_at_a_time). One
 * statement, so that a run which ends at this very moment is either found or followed. In a claim's transaction, call
 * it last: it holds the row until the commit, and the run's progress waits. Throws a UsageError for an unknown document.
 */
export async function requestRun(db: Queryable, schema: string, request: RunRequest): Promise<RequestedRun> {
  const {
    kind,
    document,
    options,
    reason,
    requestedBy,
    total,
    origin,
    truncated = false,
    onActive = 'report',
  } = request
  try {
    const { rows } = await db.query<RequestedRun>(
      `INSERT INTO ${escapeIdentifier(schema)}.sync_run AS r (kind, document, options, reason, requested_by, origin, truncated, total)
       VALUES ($1, $2, $3::jsonb, $4, coalesce($5, session_user), coalesce($6::xid8, pg_current_xact_id()), $8, $9)
       ${followActive('$7::boolean')}
       RETURNING r.id::text, r.xmax <> 0 AS existing`,
      [
        kind,
        document,
        JSON.stringify(options ?? {}),
        reason ?? null,
        requestedBy ?? null,
        origin ?? null,
        onActive === 'verify-after',
        truncated,
        total ?? null,
      ],
    )
    const [run] = rows
    if (run === undefined) throw new Error('INSERT … ON CONFLICT DO UPDATE returned no row')
    return run
  } catch (error) {
    // Foreign key to sync_document.
    if (sqlState(error) !== '23503') throw error
    throw new UsageError(`there is no document "${document}"`, {
      remedy: 'Run sluice install, or check the name.',
    })
  }
}

/**
 * The conflict clause of a request for `r`: `follow` says whether a rewriting verify has to come after the active run. Where
 * that run will do, it stands for the older of the two changes from now on, so that nobody who waits for one is told too early.
 */
export function followActive(follow: string): string {
  const sees = `(r.kind = 'verify' AND r.state = 'requested' AND coalesce(r.options ->> 'repair', '') = '${REWRITE.repair}')`
  return `ON CONFLICT (document) WHERE state IN ('requested', 'running', 'cancelling') DO UPDATE
            SET origin = CASE WHEN ${follow} AND ${sees} THEN least(r.origin, excluded.origin) ELSE r.origin END,
                verify_after = CASE WHEN ${follow} AND NOT ${sees}
                                    THEN least(r.verify_after, excluded.origin) ELSE r.verify_after END,
                verify_after_truncated = r.verify_after_truncated OR (excluded.truncated AND NOT ${sees}),
                truncated = r.truncated OR (excluded.truncated AND ${sees})`
}
