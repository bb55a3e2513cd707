import type { Queryable } from '../postgres/types.ts'
import { assertOurs, RunInterrupted } from './interrupted.ts'
import { type Advance, advanceRun } from './lifecycle.ts'
import { readStanding } from './standing.ts'
import type { Run } from './types.ts'

/**
 * Moves a run on and returns it as it stands now. Throws RunInterrupted when it is no longer ours to move; inside a
 * transaction that undoes the marks of this step, too.
 */
export async function advance(db: Queryable, schema: string, run: Run, change: Advance): Promise<Run> {
  if (!(await advanceRun(db, schema, run, change))) {
    assertOurs(run, await readStanding(db, schema, run.id))
    // Still in our name, but the cursor is not ours: a second process of the same instance name walks it.
    throw new RunInterrupted('lost')
  }
  return {
    ...run,
    cursor: change.to,
    walked: (change.restart === true ? 0 : run.walked) + (change.walked ?? 0),
    total: change.total ?? run.total,
    processed: run.processed + (change.processed ?? 0),
    result: change.result === undefined ? run.result : { ...run.result, ...change.result },
  }
}
