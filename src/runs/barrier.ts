import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { RunWork } from './context.ts'
import { lookDelay, sleep } from './pacing.ts'
import type { Run } from './types.ts'

/**
 * Waits until Elasticsearch has answered every change of the document that was committed before this call: until no mark
 * of lanes 0 and 1 and no failure that is being retried has an origin below the horizon, the first transaction id that
 * was not given out yet. False where that has not come after `patienceMs`.
 *
 * - A mark in a batch that is not settled counts: its claim has deleted it in a transaction that is still open.
 * - Derived marks (expansion, retries, keys given back) inherit their origin, so a change is answered when all that came
 *   of it is.
 * - Parked keys and dead letters are answered: nobody works on them. What differs because of them is reported so.
 * - The run's own marks do not count: it would wait for itself.
 * - A transaction that is open now and commits later is no concern: nobody has seen what it writes.
 *
 * EXISTS stops at the first such mark, and the old ones come first in the primary key; where there is none it has read
 * the lanes to the end (150 ms with a million marks of others), which is why the pauses grow with what a look takes.
 */
export async function olderChangesAnswered(
  { pool, schema, signal }: Pick<RunWork, 'pool' | 'schema' | 'signal'>,
  { id, document }: Pick<Run, 'id' | 'document'>,
  patienceMs: number,
): Promise<boolean> {
  const began = performance.now()
  const horizon = await readHorizon(pool)
  for (;;) {
    signal.throwIfAborted()
    const before = performance.now()
    if (!(await anyOlder(pool, schema, { document, id, horizon }))) return true
    const now = performance.now()
    if (now - began > patienceMs) return false
    await sleep(lookDelay(now - began, now - before), signal)
  }
}

async function readHorizon(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ horizon: string }>(
    'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS horizon',
  )
  const [row] = rows
  if (row === undefined) throw new Error('SELECT without FROM returned no row')
  return row.horizon
}

interface Older {
  readonly document: string
  readonly id: string
  readonly horizon: string
}

async function anyOlder(db: Queryable, schema: string, { document, id, horizon }: Older): Promise<boolean> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<{ older: boolean }>(
    `SELECT EXISTS (SELECT FROM ${s}.sync_queue m
                     WHERE m.document = $1 AND m.lane IN (0, 1) AND m.origin < $2::xid8
                       AND m.run_id IS DISTINCT FROM $3::bigint)
         OR EXISTS (SELECT FROM ${s}.sync_failed f
                     WHERE f.document = $1 AND f.state = 'retrying' AND f.origin < $2::xid8) AS older`,
    [document, horizon, id],
  )
  return rows[0]?.older ?? false
}
