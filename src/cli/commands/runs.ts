import { type Command, InvalidArgumentError } from 'commander'
import type { z } from 'zod'
import { FailedError, UsageError } from '../../errors.ts'
import { cancelRun } from '../../runs/lifecycle.ts'
import { runProgress } from '../../runs/progress.ts'
import { type RunFilter, readRun, readRuns } from '../../runs/read-runs.ts'
import { isFinished } from '../../runs/run-row.ts'
import type { Run } from '../../runs/types.ts'
import { watchRun } from '../../runs/watch-run.ts'
import { action, examples } from '../command.ts'
import { comparisonText } from '../comparison-text.ts'
import type { CommandContext, Database } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { count, duration } from '../format.ts'
import { type runJson, runsJson } from '../json/run.ts'
import type { Output } from '../output.ts'
import { progressText } from '../progress.ts'
import { table } from '../table.ts'

export function registerRuns(program: Command): void {
  const runs = program
    .command('runs')
    .description('List, watch or cancel long runs')
    .addHelpText(
      'after',
      examples(
        ['sluice runs', 'the latest runs, newest first'],
        ['sluice runs list --active', 'those under way'],
        ['sluice runs watch 12', 'follow run 12 to its end; Ctrl-C only stops watching'],
        ['sluice runs cancel 12', 'stop run 12; what it has done stays'],
      ),
    )
  runs
    .command('list', { isDefault: true })
    .description('The latest runs, newest first')
    .option('--document <name>', 'of one document')
    .option('--active', 'only those under way')
    .option('--limit <count>', 'at most so many', positive, 20)
    .action(action(list))
  runs
    .command('watch')
    .description('Follow a run to its end; exit code 1 unless it is done')
    .argument('<run>', 'number of a run', runId)
    .action(action(watch))
  runs
    .command('cancel')
    .description('Stop a run; what it has done stays')
    .argument('<run>', 'number of a run', runId)
    .action(action(cancel))
}

async function list(context: CommandContext, filter: RunFilter): Promise<ExitCode> {
  const { pool, schema } = await context.database()
  const runs = await readRuns(pool, schema, filter)
  context.output.result(runsJson, { runs: runs.map(runToJson) }, () => runsTable(runs))
  return exitCodes.done
}

async function watch(context: CommandContext, id: string): Promise<ExitCode> {
  const database = await context.database()
  const run = await follow(context, database, await existing(database, id))
  context.output.result(runsJson, { runs: [runToJson(run)] }, () => outcomeText(run))
  if (!isFinished(run)) context.output.note(stillRunning([run]))
  return exitCodeOfRun(run)
}

async function cancel(context: CommandContext, id: string): Promise<ExitCode> {
  const database = await context.database()
  const before = await existing(database, id)
  if (isFinished(before)) throw new FailedError(`run ${id} has ended already: it is ${before.state}`)
  const run = (await cancelRun(database.pool, database.schema, id)) ?? before
  if (run.state === 'running') {
    throw new FailedError(`run ${id} moves its aliases at this moment: it is past the point of no return`, {
      remedy: `When it is done: sluice reindex ${run.document} --rollback`,
    })
  }
  context.output.result(runsJson, { runs: [runToJson(run)] }, () =>
    run.state === 'cancelling'
      ? `run ${id} is being cancelled; ${run.worker} stops it`
      : `run ${id} is ${run.state}`,
  )
  if (run.reason !== null) {
    context.output.warn(`sluice asked for it (${run.reason}); what it was to put right may stay wrong`)
  }
  return exitCodes.done
}

async function existing({ pool, schema }: Database, id: string): Promise<Run> {
  const run = await readRun(pool, schema, id)
  if (run === null) throw new UsageError(`there is no run ${id}`, { remedy: 'sluice runs lists them.' })
  return run
}

/** Shows a run's progress until it has ended or the user interrupts; returns it as last seen. */
export async function follow(
  { output, interrupted }: CommandContext,
  { pool, schema }: Database,
  run: Run,
  signal: AbortSignal = interrupted,
): Promise<Run> {
  let progress = await output.progress(label(run))
  let last = run
  try {
    for await (const view of watchRun(pool, schema, run.id, signal)) {
      if (label(view.run) !== label(last)) {
        progress.end()
        progress = await output.progress(label(view.run))
      }
      last = view.run
      if (!isFinished(last)) progress.update(view.progress)
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

function warnOf({ id, state, error, failed, document }: Run, output: Output): void {
  if (state === 'done' && error !== null) output.warn(`run ${id}: ${error}`)
  if (failed > 0) {
    output.warn(`${count(failed)} documents of ${document} were refused; sync_failed says which and why`)
  }
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

/** A run that goes on after Ctrl-C is no failure: only watching has ended. */
export function exitCodeOfRun({ state }: Run): ExitCode {
  return state === 'failed' || state === 'cancelled' ? exitCodes.failed : exitCodes.done
}

/** One line for a run that has ended: what it did, or why it did not. */
export function outcomeText(run: Run): string {
  const { id, kind, document, state, error, elapsedMs } = run
  const what = `run ${id}: ${kind} of ${document}`
  if (state === 'failed') return `${what} failed: ${error ?? 'no reason was given'}`
  if (!isFinished(run)) {
    const progress = runProgress(run)
    return `${what} is ${standing(run)}${progress.total === null ? '' : `: ${progressText(progress)}`}`
  }
  const { done, perSecond } = runProgress(run)
  const pace = perSecond === null ? '' : ` (${count(Math.round(perSecond))}/s)`
  const time = elapsedMs === null ? '' : ` in ${duration(elapsedMs)}${pace}`
  const { comparison } = run.result ?? {}
  if (comparison !== undefined) return `${what} is ${state}${time}: ${comparisonText(comparison)}`
  return `${what} is ${state}: ${count(done)} keys${time}${changes(run)}`
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

function runsTable(runs: readonly Run[]): string {
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
      `${run.requestedAt.slice(0, 19).replace('T', ' ')} UTC`,
      run.requestedBy,
      noteOf(run).split('\n')[0] ?? '',
    ]),
  )
}

/** What a run found, what it has to report, or why sluice asked for it. */
function noteOf({ result, error, reason }: Run): string {
  const { comparison } = result ?? {}
  const found = comparison === undefined ? [] : [comparisonText(comparison)]
  return [...found, error ?? (found.length === 0 ? (reason ?? '') : '')]
    .filter((text) => text !== '')
    .join('; ')
}

/** A run as users see it: without what only its execution needs. */
export function runToJson(run: Run): z.input<typeof runJson> {
  const { cursor: _cursor, origin: _origin, truncated: _truncated, ...shown } = run
  return {
    ...shown,
    options: { ...run.options },
    result: run.result === null ? null : { ...run.result },
    totalIsExact: runProgress(run).exact,
  }
}

/** bigint: more digits are no run of any database. */
function runId(text: string): string {
  if (!/^[1-9]\d{0,17}$/.test(text)) throw new InvalidArgumentError('It is a number; sluice runs lists them.')
  return text
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('A number from 1 to 999999 is needed.')
  return Number(text)
}
