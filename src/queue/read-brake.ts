import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** How the mass-delete brake of a document stands. */
export interface BrakeState {
  /** Unexplained deletes carried out in the present window. */
  readonly deletes: number
  /** Documents in the index when the window began; null: not asked yet. */
  readonly documents: number | null
  /** Nothing unexplained passes until an operator has decided. */
  readonly tripped: boolean
}

const AT_REST: BrakeState = { deletes: 0, documents: null, tripped: false }

/**
 * Reads the brake. A window is over after ten minutes: long enough that a walk or a broken job of a quarter of an hour
 * cannot take an index away in slices, short enough that a day's ordinary changes do not add up. Once tripped it stays,
 * or every ten minutes another share of the index would go. Rides the primary key.
 */
export async function readBrake(db: Queryable, schema: string, document: string): Promise<BrakeState> {
  const { rows } = await db.query<BrakeState>(
    `SELECT deletes::float8, documents::float8, tripped_at IS NOT NULL AS tripped
       FROM ${escapeIdentifier(schema)}.sync_brake
      WHERE document = $1 AND (tripped_at IS NOT NULL OR ${WINDOW_OPEN})`,
    [document],
  )
  return rows[0] ?? AT_REST
}

/** Condition over sync_brake: its window is not over. */
export const WINDOW_OPEN = "window_started_at > clock_timestamp() - interval '10 minutes'"
