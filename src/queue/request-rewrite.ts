import type { Queryable } from '../postgres/types.ts'
import { REWRITE, type RequestedRun, type RunRequest, requestRun } from './request-run.ts'

/**
 * Requests the verify that sluice itself asks for where an index may not be what the rows are: at once, or after the run
 * under way. In the transaction that notes what was found, last: a crash in between would forget one of the two.
 */
export function requestRewrite(
  db: Queryable,
  schema: string,
  why: Pick<RunRequest, 'document' | 'origin' | 'truncated'> & { readonly reason: string },
): Promise<RequestedRun> {
  const verify = {
    kind: 'verify',
    options: REWRITE,
    requestedBy: 'sluice',
    onActive: 'verify-after',
  } as const
  return requestRun(db, schema, { ...verify, ...why })
}
