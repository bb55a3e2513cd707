import type { Pool } from 'pg'
import { FailedError } from '../errors.ts'
import { cancelRun } from './lifecycle.ts'
import { isFinished } from './run-row.ts'
import type { Run } from './types.ts'

/**
 * Cancels a run that an operator names, and returns it as it stands then: cancelled, or cancelling while its worker stops.
 * Throws a FailedError for one that has ended, or that moves its aliases at this moment.
 */
export async function cancelByOperator(pool: Pool, schema: string, before: Run): Promise<Run> {
  const { id } = before
  if (isFinished(before)) throw new FailedError(`run ${id} has ended already: it is ${before.state}`)
  const run = (await cancelRun(pool, schema, id)) ?? before
  if (run.state === 'running') {
    throw new FailedError(`run ${id} moves its aliases at this moment: it is past the point of no return`, {
      remedy: `When it is done: sluice reindex ${run.document} --rollback`,
    })
  }
  return run
}
