import type { Pool } from 'pg'
import { type RequestedRun, requestRun } from '../queue/request-run.ts'
import { activeDocument } from './active-document.ts'
import type { RunOptions } from './types.ts'
import { readVerifyOptions } from './verify-options.ts'

export interface VerifyRequest {
  readonly document: string
  readonly options: RunOptions
  /** Who asks, for `sync_run.requested_by`. */
  readonly requestedBy: string
}

/** Throws a UsageError or FailedError where a verify makes no sense: an unknown or inactive document, a wrong option. */
export async function checkVerify(
  pool: Pool,
  schema: string,
  { document, options }: Pick<VerifyRequest, 'document' | 'options'>,
): Promise<void> {
  readVerifyOptions(options)
  await activeDocument(pool, schema, document)
}

/** Requests a verify after `checkVerify`, or finds the run of the document that is under way. */
export async function requestVerify(
  pool: Pool,
  schema: string,
  request: VerifyRequest,
): Promise<RequestedRun> {
  const { document, options, requestedBy } = request
  await checkVerify(pool, schema, request)
  return requestRun(pool, schema, { kind: 'verify', document, options, requestedBy })
}
