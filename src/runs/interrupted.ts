import type { Standing } from './standing.ts'
import type { Run } from './types.ts'

/**
 * Why a run stops without having come to its end. `cancelled`: someone asked; `released`: this daemon shuts down, or
 * its document is paused, and another may go on; `lost`: another worker has taken it over.
 */
export type Interruption = 'cancelled' | 'released' | 'lost'

/** Thrown inside a run to leave it; also the reason of its abort signal. Never reaches a user. */
export class RunInterrupted extends Error {
  readonly interruption: Interruption

  constructor(interruption: Interruption) {
    super(`the run is interrupted: ${interruption}`)
    this.name = 'RunInterrupted'
    this.interruption = interruption
  }
}

/** Throws unless the run is still running in the hands of the worker that `run` names. */
export function assertOurs(
  run: Pick<Run, 'worker'>,
  standing: Standing | null,
): asserts standing is Standing {
  if (standing === null || standing.worker !== run.worker) throw new RunInterrupted('lost')
  if (standing.state === 'cancelling') throw new RunInterrupted('cancelled')
  if (standing.state !== 'running') throw new RunInterrupted('lost')
}
