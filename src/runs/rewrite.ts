import { plural } from '../counts.ts'
import { READ_SETTINGS } from '../postgres/read-settings.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { enqueueKeys } from '../queue/enqueue-keys.ts'
import { markDeadKeys } from '../queue/mark-dead-keys.ts'
import { readTargets } from '../queue/read-targets.ts'
import { waitForOlderClaims } from '../queue/wait-for-older-claims.ts'
import { advance } from './advance.ts'
import type { RunWork } from './context.ts'
import { estimateTotal } from './estimate.ts'
import { findOrphans } from './orphans.ts'
import { hasRoom, isDrained, waitFor } from './pacing.ts'
import type { Run } from './types.ts'
import { walkRows } from './walk.ts'
import { viewSource } from './walk-source.ts'

/**
 * A verify as sluice itself asks for it (`repair: 'rewrite'`: "everything" marks of a TRUNCATE or an alarm, a changed
 * server): it makes the index right without knowing what is wrong. Steps: list → walk → drain.
 *
 * Why nothing stale is left. A document can differ from its row in three ways:
 * - it is in the index, at this tenant's or by this routing, and has no row there. Such a document was indexed by some batch. The batches whose claim is older than this
 *   run are waited for; then the index is refreshed, so the listing shows all they wrote. A batch claimed later loads
 *   the rows as they are now, and a row that goes away after that brings a mark of its own (invariant 1). A request
 *   whose answer was lost may still be applied after the listing; but its marks are in the queue again, and their next
 *   batch has a higher version. So every one without a row is listed, or has a mark coming.
 * - it has a row and is not in the index, or is there with old content: the walk marks every row.
 * Nothing is deleted here: a listed key is marked, and the pipeline looks again before it deletes. A row that appears
 * between the listing and that look is kept.
 *
 * The marks carry the run's origin: they stand for the change that asked for it.
 */
export async function rewrite(work: RunWork, run: Run): Promise<string | null> {
  const listed = run.cursor === null || run.cursor.step === 'list' ? await listOrphans(work, run) : run
  const source = viewSource(work.plan, work.schema)
  const walked = await walkRows(work, listed, { source, origin: run.origin })
  await waitFor(work, walked, isDrained)
  return walked.cursor?.warning ?? null
}

/** Claims live a minute at most and a request's time-out; what is older than this hangs, and Postgres cuts it off. */
const OLDER_CLAIMS_TIMEOUT_MS = 300_000

/**
 * Longest wait for room in the queue between two pages. Past it the listing goes on all the same: Elasticsearch
 * forgets one that pauses for five minutes, and while nothing drains a listing begun anew would get no further.
 * A page is 10,000 ids, so MAX_PENDING_KEYS may be passed by half.
 */
const ROOM_TIMEOUT_MS = 60_000

/** An index cannot be listed from the middle, so a listing that broke off begins again: it may mark twice, never too little. */
async function listOrphans(work: RunWork, run: Run): Promise<Run> {
  const { pool, schema, plan, elasticsearch } = work
  const source = viewSource(plan, schema)
  let position = await inTransaction(
    pool,
    async (client) => {
      const { total, counted } = await estimateTotal(client, source)
      const to = { step: 'list', after: null, counted, warning: null } as const
      return advance(client, schema, run, { to, total, restart: true })
    },
    { settings: READ_SETTINGS },
  )
  await waitForOlderClaims(pool, schema, { timeoutMs: OLDER_CLAIMS_TIMEOUT_MS })
  // After the wait: older batches may have written failures of rows that are gone.
  position = await markDead(work, position)

  const foreign = new ForeignIds()
  for (const { index, alias } of await readTargets(pool, schema, plan.document)) {
    await elasticsearch.refresh(index)
    for await (const page of elasticsearch.listDocuments(index)) {
      await waitFor(work, position, hasRoom, ROOM_TIMEOUT_MS)
      const documents = page.map((document) => ({ ...document, alias }))
      const orphans = await findOrphans(pool, plan, schema, documents)
      foreign.add(
        index,
        orphans.foreign.map(({ id }) => id),
      )
      const keys = orphans.rowless.map(({ key }) => key)
      position = await markOrphans(work, position, keys)
    }
  }
  const { counted } = position.cursor ?? { counted: 'estimate' }
  const to = { step: 'walk', after: null, counted, warning: foreign.report(plan.document) } as const
  return advance(pool, schema, position, { to })
}

/** A dead key whose row is gone may be in no index, and is in no walk: its failure would stay for ever. */
async function markDead({ pool, schema }: RunWork, run: Run): Promise<Run> {
  const { cursor, document } = run
  if (cursor === null) return run
  return inTransaction(pool, async (client) => {
    const op = run.truncated ? 'delete' : 'orphan'
    const keys = await markDeadKeys(client, schema, { document, op, runId: run.id, origin: run.origin })
    return advance(client, schema, run, { to: cursor, walked: keys, total: (run.total ?? 0) + keys })
  })
}

async function markOrphans({ pool, schema }: RunWork, run: Run, keys: readonly string[]): Promise<Run> {
  const { cursor, document } = run
  if (keys.length === 0 || cursor === null) return run
  return inTransaction(pool, async (client) => {
    // Nobody has seen these rows go, unless a TRUNCATE took them all: the mass-delete brake counts them.
    const op = run.truncated ? 'delete' : 'orphan'
    const mark = { document, lane: 1, op, keys, runId: run.id, origin: run.origin } as const
    await enqueueKeys(client, schema, mark)
    return advance(client, schema, run, {
      to: cursor,
      walked: keys.length,
      total: (run.total ?? 0) + keys.length,
    })
  })
}

/** Counts ids that are no key of the document, and keeps a few to show. */
class ForeignIds {
  #count = 0
  readonly #examples: string[] = []

  add(index: string, ids: readonly string[]): void {
    this.#count += ids.length
    for (const id of ids) {
      if (this.#examples.length < 3) this.#examples.push(`${JSON.stringify(id)} in ${index}`)
    }
  }

  /** They are left alone: sluice did not write them, or the key was another then. */
  report(document: string): string | null {
    if (this.#count === 0) return null
    const what = plural(this.#count, 'id is', 'ids are')
    return `${what} no key of ${document} and left alone (${this.#examples.join(', ')})`
  }
}
