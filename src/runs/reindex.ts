import { BUILDING } from '../queue/is-for.ts'
import { advance } from './advance.ts'
import type { RunWork } from './context.ts'
import { isDrained, waitFor } from './pacing.ts'
import { recreate } from './recreate.ts'
import { beginReindex, createIndices } from './reindex-create.ts'
import { beginRollback } from './reindex-rollback.ts'
import { swapAliases } from './reindex-swap.ts'
import { restoreSettings, verifyNew } from './reindex-verify.ts'
import type { Run, RunCursor } from './types.ts'
import { walkRows } from './walk.ts'
import { viewSource } from './walk-source.ts'

/**
 * A reindex builds a new physical index beside the living one, and moves the alias. Each step is committed with the cursor
 * behind it, and may be done twice:
 *
 *     create → walk → drain → verify → swap → swapped
 *
 * - *create*: names are drawn and written down, then indices of these names are made, without the alias. Their registration
 *   as `building` is one commit with the end of the step: from then on every batch writes to them, too.
 * - *walk*, *drain*: as a backfill, with marks that are for the building indices alone. While the last of them drain, the
 *   indices get replicas and refresh as they are to be, and the shards are waited for.
 * - *verify*: nothing waits or is retried for the new index any more, and its ids are those of the rows.
 * - *swap*: the point of no return. One request moves the aliases, one commit the roles. A crash between the two is seen by
 *   what the alias points to. Both indices are written to before and after, so it does not matter when batches learn of it.
 *
 * Until `swap`, whatever ends the run abandons the new indices in the same statement (lifecycle.ts): they are retired, and
 * dropped when older batches have ended (sync/retired-indices.ts). The living one was never touched.
 *
 * Why nothing is missing or stale in the new index. Let R be the commit that registers it.
 * - A batch that writes to it has read its targets after R, and loads its rows after that (batch.ts reads targets between
 *   version and load). So whatever it holds is at least as new as R, and batches with older claims need not be waited for:
 *   either they do not write to it, or they have loaded after R.
 * - A change whose mark is claimed by a batch that reads its targets after R goes to both indices, and the order of versions
 *   decides there as in any index (invariant 3).
 * - Any other change was committed before R, for its batch had claimed its mark and read its targets before R. If its row is
 *   there, the walk marks it: chunks are read after R. If it is gone, no batch that loads after R can write it.
 * A failure that was recorded before R is retried for the old index alone, and its row is walked all the same.
 *
 * Returns what it has to report, or null.
 */
export async function reindex(work: RunWork, run: Run): Promise<string | null> {
  if (run.options.recreate === true) return recreate(work, run)
  let position = run
  if (position.cursor === null) {
    position =
      run.options.rollback === true ? await beginRollback(work, position) : await beginReindex(work, position)
  }
  for (;;) {
    const { cursor } = position
    if (cursor === null || cursor.step === 'swapped') return cursor?.warning ?? null
    position = await STEPS[cursor.step](work, position)
  }
}

const STEPS: Readonly<
  Record<Exclude<RunCursor['step'], 'swapped'>, (work: RunWork, run: Run) => Promise<Run>>
> = {
  create: (work, run) => createIndices(work, run, 'walk'),
  walk: (work, run) =>
    walkRows(work, run, { source: viewSource(work.plan, work.schema), origin: null, target: BUILDING }),
  drain: async (work, run) => {
    await restoreSettings(work, run)
    await waitFor(work, run, isDrained)
    return advance(work.pool, work.schema, run, { to: { ...cursorOf(run), step: 'verify' } })
  },
  verify: (work, run) => verifyNew(work, run),
  swap: (work, run) => swapAliases(work, run, 'swapped'),
  compare: notOurs,
  list: notOurs,
  merge: notOurs,
}

function cursorOf({ id, cursor }: Run): RunCursor {
  if (cursor === null) throw new Error(`run ${id} has not begun`)
  return cursor
}

function notOurs(_: RunWork, { id, cursor }: Run): Promise<Run> {
  return Promise.reject(new Error(`run ${id} is no reindex: it stands at ${cursor?.step}`))
}
