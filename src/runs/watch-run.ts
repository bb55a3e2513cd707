import { setTimeout as delay } from 'node:timers/promises'
import type { Queryable } from '../postgres/types.ts'
import { type RunProgress, runProgress, type Sample, sampled } from './progress.ts'
import { readRun } from './read-runs.ts'
import { isFinished } from './run-row.ts'
import type { Run } from './types.ts'

export interface RunView {
  readonly run: Run
  readonly progress: RunProgress
}

/** Twice a second: smooth enough for a bar, nothing for the database. */
const LOOK_MS = 500

/** A run, again and again until it has ended (the last view shows how) or the signal aborts. Nothing when there is none. */
export async function* watchRun(
  db: Queryable,
  schema: string,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<RunView, void, void> {
  let samples: readonly Sample[] = []
  while (!signal.aborted) {
    const run = await readRun(db, schema, id)
    if (run === null) return
    samples = sampled(samples, run)
    yield { run, progress: runProgress(run, samples) }
    if (isFinished(run)) return
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined)
  }
}
