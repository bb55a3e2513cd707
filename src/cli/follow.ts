import { readWaits } from '../runs/read-runs.ts'
import { isFinished } from '../runs/run-row.ts'
import type { Run } from '../runs/types.ts'
import { watchRun } from '../runs/watch-run.ts'
import type { CommandContext, Database } from './context.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { plural } from './format.ts'
import type { Output } from './output.ts'

/** Between two looks at what a run waits for: longer than a daemon takes to be known, and to take a run. */
const WAITS_EVERY_MS = 5_000

/**
 * Shows a run's progress until it has ended or the user interrupts; returns it as last seen. Says it when the run waits
 * for something: a daemon that has died, an index that is blocked.
 */
export async function follow(
  { output, interrupted }: CommandContext,
  { pool, schema }: Database,
  run: Run,
  signal: AbortSignal = interrupted,
): Promise<Run> {
  let progress = await output.progress(label(run))
  let last = run
  let said: string | undefined
  let lookedAt = performance.now()
  try {
    for await (const view of watchRun(pool, schema, run.id, signal)) {
      if (label(view.run) !== label(last)) {
        progress.end()
        progress = await output.progress(label(view.run))
      }
      last = view.run
      if (!isFinished(last)) progress.update(view.progress)
      if (performance.now() - lookedAt < WAITS_EVERY_MS) continue
      lookedAt = performance.now()
      const waitsFor = (await readWaits(pool, schema)).get(run.id)
      if (waitsFor !== undefined && waitsFor !== said) {
        progress.end()
        output.note(waitText(run, waitsFor))
      }
      said = waitsFor
    }
  } finally {
    progress.end()
  }
  warnOf(last, output)
  return last
}

/** A reindex has steps that are no walk, and take their time. */
function label({ id, kind, document, cursor }: Run): string {
  const step = kind === 'reindex' && cursor !== null ? `, ${cursor.step}` : ''
  return `run ${id}: ${kind} of ${document}${step}`
}

export function waitText({ id }: Run, waitsFor: string): string {
  return `run ${id} waits for ${waitsFor}`
}

function warnOf({ id, state, error, failed, document }: Run, output: Output): void {
  if (state === 'done' && error !== null) output.warn(`run ${id}: ${error}`)
  if (failed > 0) {
    output.warn(
      `${plural(failed, 'document', 'documents')} of ${document} refused; sync_failed says which and why`,
    )
  }
}

/** A run that goes on after Ctrl-C is no failure: only watching has ended. */
export function exitCodeOfRun({ state }: Run): ExitCode {
  return state === 'failed' || state === 'cancelled' ? exitCodes.failed : exitCodes.done
}
