import type { z } from 'zod'
import type { runJson } from '../cli/json/run.ts'
import { FailedError } from '../errors.ts'
import { requestRun } from '../queue/request-run.ts'
import { readRun } from '../runs/read-runs.ts'
import { attendedDocuments, checkBackfill, requestBackfill } from '../runs/request-backfill.ts'
import { isFinished } from '../runs/run-row.ts'
import type { RunKind, RunOptions } from '../runs/types.ts'
import { watchRun } from '../runs/watch-run.ts'
import type { Database } from './connections.ts'

/** How a run ended, as `sluice runs --json` shows it. `state` is done, failed or cancelled; `error` says why. */
export type RunReport = z.infer<typeof runJson>

export interface WantedRun {
  readonly kind: RunKind
  readonly document: string
  readonly options: RunOptions
  readonly requestedBy: string
  /** Ends the wait; the run goes on. */
  readonly signal: AbortSignal
  /** A daemon of this process carries it out, if nobody else does. */
  readonly attendedHere: boolean
}

/**
 * Requests a run and follows it to its end. Throws a UsageError for options that make no sense, and a FailedError where a
 * run of the document is under way, where the document is paused, or where there is no daemon to carry it out.
 */
export async function runToTheEnd(database: Database, wanted: WantedRun): Promise<RunReport> {
  const { pool, schema } = database
  const { document, signal } = wanted
  const { id, existing } = await request(database, wanted)
  if (existing) {
    const other = await readRun(pool, schema, id)
    throw new FailedError(`run ${id} is under way, a ${other?.kind} requested by ${other?.requestedBy}`, {
      where: document,
      remedy: `Wait for it, or: sluice runs cancel ${id}`,
    })
  }
  const { runToJson } = await import('../cli/run-text.ts')
  for await (const { run } of watchRun(pool, schema, id, signal)) {
    if (isFinished(run)) return runToJson(run) as RunReport
  }
  signal.throwIfAborted()
  throw new FailedError(`run ${id} is gone: the document was uninstalled`, { where: document })
}

async function request(
  { pool, schema }: Database,
  { kind, document, options, requestedBy, attendedHere }: WantedRun,
): Promise<{ readonly id: string; readonly existing: boolean }> {
  // That the document is installed and active, which every kind needs.
  await checkBackfill(pool, schema, { document, options: {} })
  if (!attendedHere && !(await attendedDocuments(pool, schema)).has(document)) {
    throw new FailedError('no daemon works on it, and nobody would carry out the run', {
      where: document,
      remedy: 'Call start() first, or start one elsewhere: sluice run',
    })
  }
  if (kind === 'backfill') return requestBackfill(pool, schema, { document, options, requestedBy })
  return requestRun(pool, schema, { kind, document, options, requestedBy })
}
