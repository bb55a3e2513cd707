import { READ_SETTINGS } from '../postgres/read-settings.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { advance } from './advance.ts'
import type { RunWork } from './context.ts'
import { CHUNK_KEYS, hasRoom, KEYS_PER_MARK, waitFor } from './pacing.ts'
import type { Run, RunCursor } from './types.ts'
import { markChunkSql, seeOperatorsSql, type WalkSource } from './walk-source.ts'

/**
 * The walk: marks every key of a source, in key order, as fast as the marks are worked off.
 *
 * A chunk's marks and the cursor behind them are one transaction, so a crash at any point leaves each key before the
 * cursor marked and none behind it, and the next worker begins there. No key is lost, and none is marked twice.
 *
 * Rows that other transactions write meanwhile need no care, whichever side of the cursor they are on: the walk only says
 * "look at this key again", and each of those transactions says so itself, by the mark that commits with it
 * (invariant 1). A row inserted behind the cursor has its own mark; one deleted after it was marked here is found
 * absent by the load; a changed key has marks for the old and the new one. So chunks need no common snapshot, and no
 * transaction stays open for the length of the walk.
 */
export interface Walk {
  readonly source: WalkSource
  /** Transaction that the marks stand for; null: the chunk's own. */
  readonly origin: string | null
  /** The only physical index that the marks are for; null: all. */
  readonly target?: string | null
}

/** Walks from the run's cursor to the end. Returns the run at step `drain`: all its marks are written, not all are done. */
export async function walkRows(work: RunWork, run: Run, walk: Walk): Promise<Run> {
  let position = run
  while (position.cursor?.step === 'walk') {
    await waitFor(work, position, hasRoom)
    position = await markChunk(work, position, position.cursor, walk)
  }
  return position
}

/** Locks the application's table for the one statement only; no request to Elasticsearch is under way meanwhile. */
function markChunk(work: RunWork, run: Run, cursor: RunCursor, walk: Walk): Promise<Run> {
  const { pool, schema } = work
  const { after } = cursor
  return inTransaction(
    pool,
    async (client) => {
      const seeing = seeOperatorsSql(work.plan.key)
      if (seeing !== null) await client.query(seeing)
      const { rows } = await client.query<{ count: number; last: string[] | null }>(
        markChunkSql(walk.source, schema, after !== null),
        [
          CHUNK_KEYS,
          run.document,
          'backfill',
          run.id,
          walk.origin,
          KEYS_PER_MARK,
          walk.target ?? null,
          ...(after ?? []),
        ],
      )
      const { count, last } = rows[0] ?? { count: 0, last: null }
      // Fewer than asked for: nothing follows, and what is inserted there from now on marks itself.
      const over = count < CHUNK_KEYS
      // The run's row last: batches that settle add their counts to it, and must not wait for the table's scan.
      return advance(client, schema, run, {
        to: { ...cursor, step: over ? 'drain' : 'walk', after: last ?? after },
        walked: count,
        ...(over ? { total: run.walked + count } : {}),
      })
    },
    { settings: READ_SETTINGS },
  )
}
