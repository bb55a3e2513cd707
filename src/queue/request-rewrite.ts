import type { Queryable } from '../postgres/types.ts'
import { REWRITE, type RequestedRun, requestRun } from './request-run.ts'

/**
 * Requests the verify that sluice itself asks for where an index may not be what the rows are: at once, or after the run
 * under way. In the transaction that notes what was found, last: a crash in between would forget one of the two.
 */
export function requestRewrite(
  db: Queryable,
  schema: string,
  { document, reason }: { readonly document: string; readonly reason: string },
): Promise<RequestedRun> {
  const requestedBy = 'sluice'
  return requestRun(db, schema, {
    kind: 'verify',
    options: REWRITE,
    document,
    reason,
    requestedBy,
    onActive: 'verify-after',
  })
}
