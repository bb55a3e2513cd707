import { describeError, IncompleteError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import { obstacleOf } from '../sync/obstacle.ts'
import { withoutValues } from '../sync/without-values.ts'
import { backfill } from './backfill.ts'
import type { RunContext, RunWork } from './context.ts'
import { type Interruption, RunInterrupted } from './interrupted.ts'
import { type EXECUTED_KINDS, finishRun, releaseRun } from './lifecycle.ts'
import { optimize } from './optimize.ts'
import { readOptions } from './options.ts'
import { reindex } from './reindex.ts'
import type { Run, RunKind } from './types.ts'
import { verify } from './verify.ts'

/** Executes one kind of run from its cursor on; returns what it has to report although it is done. */
type Executor = (work: RunWork, run: Run) => Promise<string | null>

const EXECUTORS: Readonly<Partial<Record<RunKind, Executor>>> = {
  backfill,
  verify,
  reindex,
  optimize,
} satisfies Record<(typeof EXECUTED_KINDS)[number], Executor>

/** What became of a run in this worker's hands. */
export type RunOutcome = 'done' | 'failed' | Interruption

/**
 * Executes a run that `takeRun` has taken, and writes down how it ended. Throws only what `isTransient`: the run stays
 * `running` with its cursor, to be executed again, here or by whoever takes it over. Any other error is the run's
 * result: `failed`, with the reason.
 */
export async function executeRun(context: RunContext, run: Run, signal: AbortSignal): Promise<RunOutcome> {
  const { pool, schema, elasticsearch, plans, onWaiting } = context
  try {
    if (run.state === 'cancelling') throw new RunInterrupted('cancelled')
    const plan = plans.get(run.document)
    const executor = EXECUTORS[run.kind]
    if (plan === undefined || executor === undefined) throw new RunInterrupted('released')
    const options = readOptions(run.kind, run.options)
    const definition = context.definitions?.get(run.document)
    const work = {
      ...{ pool, schema, elasticsearch, plan, definition, signal },
      ...(onWaiting === undefined ? {} : { onWaiting }),
    }
    const report = await executor(work, { ...run, options })
    const ended = await finishRun(pool, schema, run, { state: 'done', error: report })
    return ended === null ? 'lost' : 'done'
  } catch (error) {
    if (error instanceof RunInterrupted) return leave(context, run, error.interruption)
    if (isTransient(error)) throw error
    const reason = withoutValues(error) ?? describeError(error)
    const ended = await finishRun(pool, schema, run, { state: 'failed', error: reason })
    return ended === null ? 'lost' : 'failed'
  }
}

/** Writes down why a run is left; returns why it was, in the end. */
export async function leave(
  { pool, schema }: RunContext,
  run: Run,
  interruption: Interruption,
): Promise<Interruption> {
  if (interruption === 'lost') return 'lost'
  if (interruption === 'released' && (await releaseRun(pool, schema, run))) return 'released'
  // Not ours to release: it was cancelled in the same moment, unless someone else has it.
  const ended = await finishRun(pool, schema, run, { state: 'cancelled', error: null })
  return ended === null ? 'lost' : 'cancelled'
}

/** Serialization failure, deadlock, lock not available: the statement was sound, and may be tried again. */
const TRY_AGAIN: ReadonlySet<string | undefined> = new Set(['40001', '40P01', '55P03'])

/**
 * True when the same run may well go on later: a server is away or cannot serve anybody, a shard is away, or a transaction
 * was in another's way.
 */
export function isTransient(error: unknown): boolean {
  return (
    error instanceof IncompleteError ||
    obstacleOf(error).scope !== 'document' ||
    TRY_AGAIN.has(sqlState(error))
  )
}
