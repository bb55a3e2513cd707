import type { Pool } from 'pg'
import { type RequestedRun, requestRun } from '../queue/request-run.ts'
import { activeDocument } from './active-document.ts'
import { readOptions } from './options.ts'
import type { RunOptions } from './types.ts'

export interface OptimizeRequest {
  readonly document: string
  /** `threshold`: share of deleted documents, 0 to 1, from which an index is merged; default DEFAULT_THRESHOLD. */
  readonly options: RunOptions
  /** Who asks, for `sync_run.requested_by`. */
  readonly requestedBy: string
}

/**
 * Requests an optimize of a document's live indices. Throws a UsageError or FailedError where the document is not
 * installed and active, or the options are not an optimize's; then nothing is written.
 */
export async function requestOptimize(
  pool: Pool,
  schema: string,
  { document, options, requestedBy }: OptimizeRequest,
): Promise<RequestedRun> {
  await activeDocument(pool, schema, document)
  return requestRun(pool, schema, {
    kind: 'optimize',
    document,
    options: readOptions('optimize', options),
    requestedBy,
  })
}
