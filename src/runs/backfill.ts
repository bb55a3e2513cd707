import type { DocumentPlan } from '../documents/types.ts'
import { READ_SETTINGS } from '../postgres/read-settings.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { advance } from './advance.ts'
import type { RunWork } from './context.ts'
import { estimateTotal } from './estimate.ts'
import { type Filter, readFilter } from './filter.ts'
import { isDrained, waitFor } from './pacing.ts'
import type { Run } from './types.ts'
import { walkRows } from './walk.ts'
import { tableSource, viewSource, type WalkSource } from './walk-source.ts'

/**
 * A backfill only marks; the pipeline does the rest, on all daemons. Steps: walk → drain. It is done when no mark of
 * its own is left in the queue: then each of its keys is in the index, superseded by something newer, or in
 * `sync_failed`. Returns what it has to report, or null.
 *
 * Its marks carry the origin of the chunk that wrote them, not the run's: they stand for no one's change, and an
 * application that waits for its own write should not wait for a backfill that began before it.
 */
export async function backfill(work: RunWork, run: Run): Promise<string | null> {
  const source = await sourceNow(work, run)
  const begun = run.cursor === null ? await begin(work, run, source) : run
  const walked = await walkRows(work, begun, { source, origin: null })
  await waitFor(work, walked, isDrained)
  return walked.cursor?.warning ?? null
}

async function sourceNow({ pool, schema, plan }: RunWork, run: Run): Promise<WalkSource> {
  // Read again though the request was checked: it may have come by SQL, and the catalog may have changed.
  return backfillSource(plan, schema, await readFilter(pool, plan, run.options, run.requestedAt))
}

/** Where a backfill finds its keys: all documents, or the rows that a filter chooses. */
export function backfillSource(
  plan: DocumentPlan,
  schema: string,
  { conditions }: Pick<Filter, 'conditions'>,
): WalkSource {
  return conditions.length === 0 ? viewSource(plan, schema) : tableSource(plan, conditions)
}

function begin({ pool, schema }: RunWork, run: Run, source: WalkSource): Promise<Run> {
  return inTransaction(
    pool,
    async (client) => {
      const { total, counted } = await estimateTotal(client, source)
      return advance(client, schema, run, {
        to: { step: 'walk', after: null, counted, warning: null },
        total,
      })
    },
    { settings: READ_SETTINGS },
  )
}
