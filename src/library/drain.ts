import { setTimeout as delay } from 'node:timers/promises'
import { TimeoutError } from '../errors.ts'
import type { Database } from '../postgres/types.ts'
import { type DeadDocument, makeSyncToken } from '../queue/sync-token.ts'
import { waitUntilSynced } from '../queue/wait-until-synced.ts'
import { readRuns } from '../runs/read-runs.ts'

const LOOK_MS = 100

/**
 * Returns when no run is under way, and Elasticsearch has answered for all that is committed then. What is written
 * meanwhile does not keep it; a document that is paused, or whose keys are parked, does.
 */
export async function drain(
  { pool, schema }: Database,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<readonly DeadDocument[]> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const runs = await readRuns(pool, schema, { active: true })
    const left = deadline - performance.now()
    if (runs.length === 0) {
      const token = await makeSyncToken(pool, schema)
      return waitUntilSynced(pool, schema, { token, document: null, timeoutMs: Math.max(0, left), signal })
    }
    if (left <= 0) {
      const what = runs.map(
        ({ id, kind, document, state }) => `run ${id}, ${kind} of ${document}, is ${state}`,
      )
      const pending = runs.map(({ document }) => document)
      throw new TimeoutError(`not drained within ${timeoutMs} ms: ${what.join('; ')}`, { pending })
    }
    await delay(Math.min(LOOK_MS, left), undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
