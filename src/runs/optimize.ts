import type { IndexSize } from '../elasticsearch/segments.ts'
import { ConfigError, FailedError } from '../errors.ts'
import { readTargets } from '../queue/read-targets.ts'
import { advance } from './advance.ts'
import type { RunWork } from './context.ts'
import { assertOurs } from './interrupted.ts'
import { deletedShare, noneOptimized, type Optimization, withFailure, withIndex } from './optimization.ts'
import { sleep } from './pacing.ts'
import { readStanding } from './standing.ts'
import type { Run, RunCursor } from './types.ts'

/** Share of deleted documents from which a merge is worth its reading and writing: what it takes is at least 4/5 of what it keeps. */
export const DEFAULT_THRESHOLD = 0.2

/**
 * Refreshes the document's live indices, and merges away deleted documents where their share has reached the threshold:
 * each overwritten or deleted document stays on disk, and is skipped by each search, until its segment is merged.
 *
 * `only_expunge_deletes`, not `max_num_segments`: the index is still written to. Down to one segment would rewrite
 * all of it whatever its share, and leave a segment too large for Elasticsearch's own merges to touch again, so that
 * its next deletes would stay for good. This one rewrites only the segments of which more than a tenth is deleted, and
 * leaves sizes that the merge policy goes on with. What a copy of the shard may still have to be told stays: that of the
 * last 30 seconds, or since a replica is away (soft deletes under a retention lease). The flush before it lets go of
 * what all copies have.
 *
 * Searches and writes go on meanwhile, and versions of deleted documents (`index.gc_deletes`) survive it.
 *
 * Live indices only. One that was kept after a reindex is dropped soon, and a merge would need room for it once
 * more; one that is being built has hardly any deletes.
 *
 * An index after the other, in the order of their names: a merge takes all that the disks have, so two at once would
 * only be slower together. One that cannot be merged (gone, read-only) is a failure of its own, and the next is
 * taken; the run fails at its end.
 */
export async function optimize(work: RunWork, run: Run): Promise<null> {
  const threshold = run.options.threshold ?? DEFAULT_THRESHOLD
  const indices = await liveIndices(work)
  let position = run.cursor === null ? await begin(work, run, indices.length, threshold) : run
  const [last] = run.cursor?.after ?? []
  for (const index of indices) {
    if (last !== undefined && index <= last) continue
    position = await optimizeIndex(work, position, index, threshold)
  }
  const failed = found(position, threshold).failed
  if (failed > 0) throw new FailedError(failures(found(position, threshold)))
  return null
}

async function liveIndices({ pool, schema, plan }: RunWork): Promise<readonly string[]> {
  const targets = await readTargets(pool, schema, plan.document)
  return targets
    .filter(({ role }) => role === 'live')
    .map(({ index }) => index)
    .sort()
}

const COUNTED = { step: 'merge', counted: 'exact', warning: null } as const

function begin({ pool, schema }: RunWork, run: Run, total: number, threshold: number): Promise<Run> {
  const result = { optimize: noneOptimized(threshold) }
  return advance(pool, schema, run, { to: { ...COUNTED, after: null }, total, result })
}

/** What the run has found so far. */
function found({ result }: Run, threshold: number): Optimization {
  return result?.optimize ?? noneOptimized(threshold)
}

/** Merges whose task was lost; each time a node has been restarted. */
const MOST_ATTEMPTS = 3

async function optimizeIndex(work: RunWork, run: Run, index: string, threshold: number): Promise<Run> {
  const all = found(run, threshold)
  let position = run
  try {
    const before = run.cursor?.merge?.before ?? (await refreshedSize(work, index))
    let after = before
    for (let attempt = 1; ; attempt++) {
      if (position.cursor?.merge === undefined) {
        if (!isWorthAMerge(after, threshold)) break
        if (attempt > MOST_ATTEMPTS)
          throw new FailedError('its merge was lost again and again', { where: index })
        position = await beginMerge(work, position, index, before)
      }
      const ended = await waitForMerge(work, position)
      after = await refreshedSize(work, index)
      if (ended === 'done') break
      position = await forgetMerge(work, position)
    }
    const merged = position !== run || run.cursor?.merge !== undefined
    return await settle(work, position, index, withIndex(all, index, { before, after }, merged))
  } catch (error) {
    // Nobody is away: Elasticsearch has answered that this index cannot.
    if (!(error instanceof FailedError || error instanceof ConfigError)) throw error
    return await settle(work, position, index, withFailure(all, index, error.message))
  }
}

async function refreshedSize({ elasticsearch }: RunWork, index: string): Promise<IndexSize> {
  await elasticsearch.refresh(index)
  return elasticsearch.indexSize(index)
}

function isWorthAMerge(size: IndexSize, threshold: number): boolean {
  return size.deleted > 0 && deletedShare(size) >= threshold
}

/**
 * A crash between the two leaves a merge that no cursor knows: the one begun after it finds less to do, for a shard
 * merges one after the other.
 */
async function beginMerge(work: RunWork, run: Run, index: string, before: IndexSize): Promise<Run> {
  await work.elasticsearch.flush(index)
  const task = await work.elasticsearch.startMerge(index)
  return advance(work.pool, work.schema, run, { to: { ...cursorOf(run), merge: { index, task, before } } })
}

function forgetMerge({ pool, schema }: RunWork, run: Run): Promise<Run> {
  const { merge: _lost, ...to } = cursorOf(run)
  return advance(pool, schema, run, { to })
}

function settle({ pool, schema }: RunWork, run: Run, index: string, optimize: Optimization): Promise<Run> {
  const to = { ...COUNTED, after: [index] }
  return advance(pool, schema, run, { to, walked: 1, processed: 1, result: { optimize } })
}

const FIRST_LOOK_MS = 100
const LAST_LOOK_MS = 5_000

/** Cannot be stopped, once begun: a run that is cancelled leaves it to Elasticsearch, which ends it. */
async function waitForMerge(work: RunWork, run: Run): Promise<'done' | 'unknown'> {
  const { merge } = cursorOf(run)
  if (merge === undefined) return 'done'
  for (let attempt = 0; ; attempt++) {
    work.signal.throwIfAborted()
    assertOurs(run, await readStanding(work.pool, work.schema, run.id))
    const state = await work.elasticsearch.mergeState(merge.index, merge.task)
    if (state !== 'running') return state
    await sleep(Math.min(LAST_LOOK_MS, FIRST_LOOK_MS * 2 ** attempt), work.signal)
  }
}

function cursorOf({ cursor }: Run): RunCursor {
  return cursor ?? { ...COUNTED, after: null }
}

/** For `sync_run.error`: which, and why. */
function failures({ failed, indices, changes }: Optimization): string {
  const shown = changes
    .flatMap(({ index, problem }) => (problem === null ? [] : [`${index}: ${problem}`]))
    .slice(0, 3)
  return `${failed} of ${indices} indices could not be optimized: ${shown.join('; ')}`
}
