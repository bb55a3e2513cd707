import type { StoredDocument } from '../elasticsearch/types.ts'
import { FailedError } from '../errors.ts'
import { type DeadDocument, makeSyncToken } from '../queue/sync-token.ts'
import { waitUntilSynced } from '../queue/wait-until-synced.ts'
import { isFinished } from '../runs/run-row.ts'
import type { Run } from '../runs/types.ts'
import { watchRun } from '../runs/watch-run.ts'
import { DOCUMENT } from './books.ts'
import { SYNC } from './place.ts'
import type { Audience, Scene } from './stage.ts'

/** Longer than a busy server takes for a few rows; whoever watches a demo does not wait longer. */
const SYNCED_MS = 60_000

/** The demo's place in Elasticsearch, besides its servers. */
export interface Played extends Scene {
  /** Alias of the index. */
  readonly index: string
}

/** Waits until Elasticsearch has answered for all that is committed now; returns what of it was given up. */
export async function synced({ pool, signal }: Scene): Promise<readonly DeadDocument[]> {
  const token = await makeSyncToken(pool, SYNC)
  return waitUntilSynced(pool, SYNC, { token, document: DOCUMENT, timeoutMs: SYNCED_MS, signal })
}

/** A document as searches see it now. */
export function searchable({ elasticsearch, index }: Played, id: number): Promise<StoredDocument> {
  return elasticsearch.get(index, String(id), null, { searchable: true })
}

/** Follows a run to its end. Throws a FailedError unless that is a good one. */
export async function followRun(
  { pool, signal }: Scene,
  audience: Audience,
  { id, label }: { readonly id: string; readonly label: string },
): Promise<Run> {
  const progress = await audience.progress(label)
  let last: Run | null = null
  try {
    for await (const { run, progress: state } of watchRun(pool, SYNC, id, signal)) {
      last = run
      if (state.total !== null && !isFinished(run)) progress.update(state)
    }
  } finally {
    progress.end()
  }
  signal.throwIfAborted()
  if (last?.state === 'done') return last
  throw new FailedError(`run ${id} did not come to its end: ${last?.error ?? last?.state ?? 'it is gone'}`)
}
