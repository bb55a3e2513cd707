import { readWaits } from '../runs/read-runs.ts'
import { isFinished } from '../runs/run-row.ts'
import type { Run } from '../runs/types.ts'
import { watchRun } from '../runs/watch-run.ts'
import type { CommandContext, Database } from './context.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { count } from './format.ts'
import type { Output } from './output.ts'

/** Shows a run's progress until it has ended or the user interrupts; returns it as last seen. */
export async function follow(
  { output, interrupted }: CommandContext,
  { pool, schema }: Database,
  run: Run,
  signal: AbortSignal = interrupted,
): Promise<Run> {
  const progress = await output.progress(`run ${run.id}: ${run.kind} of ${run.document}`)
  const waitsFor = (await readWaits(pool, schema)).get(run.id)
  if (waitsFor !== undefined) output.note(`run ${run.id} waits for ${waitsFor}`)
  let last = run
  try {
    for await (const view of watchRun(pool, schema, run.id, signal)) {
      last = view.run
      if (!isFinished(last)) progress.update(view.progress)
    }
  } finally {
    progress.end()
  }
  warnOf(last, output)
  return last
}

function warnOf({ id, state, error, failed, document }: Run, output: Output): void {
  if (state === 'done' && error !== null) output.warn(`run ${id}: ${error}`)
  if (failed > 0) {
    output.warn(`${count(failed)} documents of ${document} were refused; sync_failed says which and why`)
  }
}

/** A run that goes on after Ctrl-C is no failure: only watching has ended. */
export function exitCodeOfRun({ state }: Run): ExitCode {
  return state === 'failed' || state === 'cancelled' ? exitCodes.failed : exitCodes.done
}
