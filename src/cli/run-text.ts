import { runProgress } from '../runs/progress.ts'
import { isFinished } from '../runs/run-row.ts'
import type { Run } from '../runs/types.ts'
import { comparisonText, examplesText } from './comparison-text.ts'
import { count, duration, plural } from './format.ts'
import { optimizationText, optimizedLines } from './optimization-text.ts'
import { progressText } from './progress.ts'
import { table } from './table.ts'

/** One line for a run that has ended: what it did, or why it did not. */
export function outcomeText(run: Run): string {
  const { id, kind, document, state, error, elapsedMs, result } = run
  const what = `run ${id}: ${kind} of ${document}`
  if (state === 'failed') return `${what} failed: ${error ?? 'no reason was given'}`
  if (!isFinished(run)) {
    const progress = runProgress(run)
    return `${what} is ${standing(run)}${progress.total === null ? '' : `: ${progressText(progress)}`}`
  }
  if (state === 'done' && result?.optimize !== undefined) {
    const time = elapsedMs === null ? '' : ` in ${duration(elapsedMs)}`
    return `${what} is done${time}: ${optimizationText(result.optimize)}`
  }
  const { done, perSecond } = runProgress(run)
  const pace = perSecond === null ? '' : ` (${count(Math.round(perSecond))}/s)`
  const time = elapsedMs === null ? '' : ` in ${duration(elapsedMs)}${pace}`
  if (result?.comparison !== undefined)
    return `${what} is ${state}${time}: ${comparisonText(result.comparison)}`
  return `${what} is ${state}: ${plural(done, 'key', 'keys')}${time}${changes(run)}`
}

function changes({ created, updated, deleted, failed }: Run): string {
  const counts = Object.entries({ created, updated, deleted, failed })
    .filter(([, n]) => n > 0)
    .map(([what, n]) => `${count(n)} ${what}`)
  return counts.length === 0 ? '' : `; ${counts.join(', ')}`
}

/** A released run is running without anyone to run it. */
function standing({ state, worker }: Run): string {
  return state === 'running' && worker === null ? 'waiting' : state
}

/** All about one run: its outcome, what was asked for, by whom and when, and what it waits for. */
export function runText(run: Run, waitsFor: string | undefined): string {
  const { options, requestedBy, reason, worker, requestedAt, startedAt, finishedAt, error, state, result } =
    run
  const asked = Object.keys(options).length === 0 ? [] : [`options: ${JSON.stringify(options)}`]
  return [
    outcomeText(run),
    ...(state === 'failed' || error === null ? [] : [error]),
    ...(waitsFor === undefined ? [] : [`waits for ${waitsFor}`]),
    `requested ${timeText(requestedAt)} by ${requestedBy}${reason === null ? '' : ` (${reason})`}`,
    ...asked,
    ...(startedAt === null
      ? []
      : [`started ${timeText(startedAt)}${worker === null ? '' : ` by ${worker}`}`]),
    ...(finishedAt === null ? [] : [`ended ${timeText(finishedAt)}`]),
    ...(result?.optimize === undefined ? [] : optimizedLines(result.optimize)),
    ...(result?.comparison === undefined
      ? []
      : [examplesText(result.comparison)].filter((text) => text !== '')),
  ].join('\n')
}

function timeText(utc: string): string {
  return `${utc.slice(0, 19).replace('T', ' ')} UTC`
}

/** `waits`: what runs under way wait for, by id. */
export function runsTable(runs: readonly Run[], waits: ReadonlyMap<string, string>): string {
  if (runs.length === 0) return 'no runs'
  return table(
    [
      { head: 'run', align: 'right' },
      { head: 'kind' },
      { head: 'document' },
      { head: 'state' },
      { head: 'progress' },
      { head: 'time', align: 'right' },
      { head: 'requested' },
      { head: 'by' },
      { head: 'note' },
    ],
    runs.map((run) => [
      run.id,
      run.kind,
      run.document,
      standing(run),
      isFinished(run) ? count(run.processed) : progressText(runProgress(run)),
      run.elapsedMs === null ? '' : duration(run.elapsedMs),
      timeText(run.requestedAt),
      run.requestedBy,
      noteOf(run, waits.get(run.id)).split('\n')[0] ?? '',
    ]),
  )
}

/** What a run waits for, what it found, what it has to report, or why sluice asked for it. */
function noteOf({ result, error, reason }: Run, waitsFor: string | undefined): string {
  if (waitsFor !== undefined) return `waits for ${waitsFor}`
  const { comparison } = result ?? {}
  const found = comparison === undefined ? [] : [comparisonText(comparison)]
  return [...found, error ?? (found.length === 0 ? (reason ?? '') : '')]
    .filter((text) => text !== '')
    .join('; ')
}

/** What becomes of a run after Ctrl-C, and what can be done about it. */
export function stillRunning(runs: readonly Run[]): string {
  return runs
    .filter((run) => !isFinished(run))
    .map((run) => {
      const { id, document } = run
      const what =
        standing(run) === 'waiting'
          ? `waits for a daemon (sluice run) and goes on where it stood; sluice ${run.kind} ${document} goes on here`
          : `goes on; sluice runs watch ${id} follows it`
      return `run ${id} of ${document} ${what}; sluice runs cancel ${id} stops it`
    })
    .join('\n')
}
