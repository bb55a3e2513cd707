import { setTimeout as delay } from 'node:timers/promises'
import type { Comparison } from '../../src/runs/comparison.ts'
import type { RunKind } from '../../src/runs/types.ts'
import type { World } from './world.ts'

const DEADLINE_MS = 3_600_000

export interface EndedRun {
  readonly processed: number
  /** From its start to its end, as `sync_run` has them. */
  readonly seconds: number
  /** Of a verify. */
  readonly comparison: Comparison | null
}

interface Look extends EndedRun {
  readonly state: string
  readonly step: string | null
  readonly error: string | null
}

/**
 * Resolves when that run is done, the latest of its kind or one by its id; an error where it ended otherwise, or has not after
 * an hour. `onLook` hears the step that it is in, some ten or twenty times a second.
 */
export async function runEnded(
  { pool }: Pick<World, 'pool'>,
  which: { readonly kind: RunKind } | { readonly id: string },
  onLook: (step: string) => void = () => {},
): Promise<EndedRun> {
  const [where, value] = 'id' in which ? ['id', which.id] : ['kind', which.kind]
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const { rows } = await pool.query<Look>(
      `SELECT state, processed::float8, cursor ->> 'step' AS step, error, result -> 'comparison' AS comparison,
              extract(epoch FROM finished_at - started_at)::float8 AS seconds
         FROM sluice.sync_run WHERE ${where} = $1 ORDER BY id DESC LIMIT 1`,
      [value],
    )
    const [run] = rows
    onLook(run?.step ?? 'requested')
    if (run?.state === 'done') return run
    const said = JSON.stringify(run ?? null)
    if (run !== undefined && !['requested', 'running'].includes(run.state))
      throw new Error(`the run of ${where} ${value} ended ${said}`)
    if (performance.now() > deadline)
      throw new Error(`the run of ${where} ${value} has not ended after an hour: ${said}`)
    await delay(50)
  }
}
