import type { z } from 'zod'
import type { runJson } from '../answers/json/run.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { FailedError } from '../errors.ts'
import type { Database } from '../postgres/types.ts'
import { activeDocument } from '../runs/active-document.ts'
import { readRun } from '../runs/read-runs.ts'
import { requestReindex } from '../runs/reindex-request.ts'
import { attendedDocuments, requestBackfill } from '../runs/request-backfill.ts'
import { requestVerify } from '../runs/request-verify.ts'
import { isFinished } from '../runs/run-row.ts'
import type { RunOptions } from '../runs/types.ts'
import { watchRun } from '../runs/watch-run.ts'

/** How a run ended, as `sluice runs --json` shows it. `state` is done, failed or cancelled; `error` says why. */
export type RunReport = z.infer<typeof runJson>

export interface WantedRun {
  readonly kind: 'backfill' | 'verify' | 'reindex'
  readonly document: string
  readonly options: RunOptions
  readonly requestedBy: string
  /** Ends the wait; the run goes on. */
  readonly signal: AbortSignal
  /** A daemon of this process carries it out, if nobody else does. */
  readonly attendedHere: boolean
  readonly elasticsearch: () => Promise<Elasticsearch>
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
  const { runToJson } = await import('../answers/run-to-json.ts')
  for await (const { run } of watchRun(pool, schema, id, signal)) {
    if (isFinished(run)) return runToJson(run) as RunReport
  }
  signal.throwIfAborted()
  throw new FailedError(`run ${id} is gone: the document was uninstalled`, { where: document })
}

async function request(
  { pool, schema }: Database,
  { kind, document, options, requestedBy, attendedHere, elasticsearch }: WantedRun,
): Promise<{ readonly id: string; readonly existing: boolean }> {
  await activeDocument(pool, schema, document)
  if (!attendedHere && !(await attendedDocuments(pool, schema)).has(document)) {
    throw new FailedError('no daemon works on it, and nobody would carry out the run', {
      where: document,
      remedy: 'Call start() first, or start one elsewhere: sluice run',
    })
  }
  const wanted = { document, options, requestedBy }
  switch (kind) {
    case 'backfill':
      return requestBackfill(pool, schema, wanted)
    case 'verify':
      return requestVerify(pool, schema, wanted)
    case 'reindex':
      return requestReindex({ pool, schema, elasticsearch: await elasticsearch() }, wanted)
  }
}
