import { type RequestedRun, requestRun } from '../queue/request-run.ts'
import { activeDocument } from './active-document.ts'
import type { RunWork } from './context.ts'
import { readOptions } from './options.ts'
import { readRuns } from './read-runs.ts'
import { findPlaces } from './reindex-create.ts'
import { keptIndices } from './reindex-rollback.ts'
import type { Run, RunOptions } from './types.ts'

export interface ReindexRequest {
  readonly document: string
  readonly options: Pick<RunOptions, 'keepMs' | 'rollback' | 'adopt' | 'recreate' | 'alias'>
  /** Who asks, for `sync_run.requested_by`. */
  readonly requestedBy: string
}

/** What asking takes: less than executing. */
export type ReindexAsking = Pick<RunWork, 'pool' | 'schema' | 'elasticsearch'>

/**
 * Requests a reindex of a document as it is installed, after everything about it has been looked at: it is active, its aliases
 * are as sluice made them, there is an index to go back to. Throws a UsageError or FailedError otherwise, and nothing is
 * written. Where a run is under way, that one's id is returned, and nothing is requested.
 */
export async function requestReindex(
  { pool, schema, elasticsearch }: ReindexAsking,
  { document, options, requestedBy }: ReindexRequest,
): Promise<RequestedRun> {
  const active = await activeRun({ pool, schema }, document)
  if (active !== null) return { id: active.id, existing: true }
  const { plan } = await activeDocument(pool, schema, document)
  readOptions('reindex', options)
  const asked = { pool, schema, plan, elasticsearch }
  if (options.rollback === true) await keptIndices(asked)
  else await findPlaces(asked, options.adopt === true)
  return requestRun(pool, schema, { kind: 'reindex', document, options, requestedBy })
}

/** The run of a document that is under way, or null. */
export async function activeRun(
  { pool, schema }: Pick<RunWork, 'pool' | 'schema'>,
  document: string,
): Promise<Run | null> {
  const [run] = await readRuns(pool, schema, { document, active: true, limit: 1 })
  return run ?? null
}
