import type { Pool } from 'pg'
import { requestRun } from '../queue/request-run.ts'
import { checkBackfill, type Requested } from './request-backfill.ts'
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
  await checkBackfill(pool, schema, { document, options: {} })
}

/** Requests a verify after `checkVerify`, or finds the run of the document that is under way. */
export async function requestVerify(pool: Pool, schema: string, request: VerifyRequest): Promise<Requested> {
  const { document, options, requestedBy } = request
  await checkVerify(pool, schema, request)
  return {
    ...(await requestRun(pool, schema, { kind: 'verify', document, options, requestedBy })),
    warnings: [],
  }
}
