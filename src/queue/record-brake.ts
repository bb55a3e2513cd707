import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import { WINDOW_OPEN } from './read-brake.ts'

/** What a batch adds to its document's mass-delete brake. */
export interface BrakeEntry {
  readonly document: string
  /** Unexplained deletes that Elasticsearch carried out. */
  readonly deletes: number
  /** Documents in the index when the window began, where the batch had to know; null: it had not. */
  readonly documents: number | null
  /** Keys held back. */
  readonly parked: number
  /** `_id`s of some of them. */
  readonly sample: readonly string[]
}

/**
 * Counts in the claim's transaction: a batch that is rolled back has counted nothing. Where something is held back, the
 * brake trips, and the document's alarm says so. Returns the alarm of the batch that tripped it, else null: it is logged
 * once. In a settlement, call it first: resume() too takes the brake before the document. Rides the primary key,
 * and workers of the same document wait for each other from here to the commit.
 */
export async function recordBrake(db: Queryable, schema: string, entry: BrakeEntry): Promise<string | null> {
  const { document, deletes, documents, parked, sample } = entry
  if (deletes === 0 && parked === 0) return null
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<{ first: boolean | null }>(
    `WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at)
     INSERT INTO ${s}.sync_brake AS b (document, window_started_at, deletes, documents, tripped_at, parked, sample)
     SELECT $1, at, $2, $3::bigint, CASE WHEN $4::bigint > 0 THEN at END, $4, $5::text[] FROM moment
     ON CONFLICT (document) DO UPDATE
       SET (window_started_at, deletes, documents) = (
             SELECT CASE WHEN same THEN b.window_started_at ELSE excluded.window_started_at END,
                    CASE WHEN same THEN b.deletes ELSE 0 END + excluded.deletes,
                    CASE WHEN same THEN coalesce(b.documents, excluded.documents) ELSE excluded.documents END
               FROM (SELECT b.tripped_at IS NOT NULL OR b.${WINDOW_OPEN} AS same) w),
           tripped_at = coalesce(b.tripped_at, excluded.tripped_at),
           parked = b.parked + excluded.parked,
           sample = (b.sample || excluded.sample)[1:${SAMPLE_SIZE}]
     RETURNING b.tripped_at = (SELECT at FROM moment) AS first`,
    [document, deletes, documents, parked, sample],
  )
  if (parked === 0) return null
  const alarm = await db.query<{ alarm: string }>(
    `UPDATE ${s}.sync_document SET alarm = ${s}.brake_alarm(name) WHERE name = $1 RETURNING alarm`,
    [document],
  )
  return rows[0]?.first === true ? (alarm.rows[0]?.alarm ?? null) : null
}

/** `_id`s that an alarm shows. */
export const SAMPLE_SIZE = 10
