import type pg from 'pg'

/** What a drill reads of sluice's own tables. */

/** A run that sluice asked for itself, with what was the matter. */
export interface AskedVerify {
  readonly id: string
  readonly state: string
  readonly reason: string
}

export async function askedVerifies(pool: pg.Pool): Promise<readonly AskedVerify[]> {
  const { rows } = await pool.query<AskedVerify>(
    "SELECT id::text, state, reason FROM sluice.sync_run WHERE kind = 'verify' AND reason IS NOT NULL ORDER BY id",
  )
  return rows
}

/** Batches, of all daemons and times. */
export async function sentBatches(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ sent: number }>(
    'SELECT coalesce(sum(batches), 0)::float8 AS sent FROM sluice.sync_rollup',
  )
  return rows[0]?.sent ?? 0
}

/** Nothing is left to do. */
export async function isAtRest(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ left: number }>(
    `SELECT (SELECT count(*) FROM sluice.sync_queue)::integer
          + (SELECT count(*) FROM sluice.sync_failed)::integer
          + (SELECT count(*) FROM sluice.sync_run WHERE state IN ('requested', 'running', 'cancelling'))::integer AS left`,
  )
  return rows[0]?.left === 0
}

/** The physical index that batches write to. */
export async function liveIndex(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query<{ name: string }>(
    "SELECT name FROM sluice.sync_index WHERE role = 'live' AND document = 'article'",
  )
  const [row] = rows
  if (row === undefined) throw new Error('no index is registered')
  return row.name
}
