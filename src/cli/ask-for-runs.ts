import { sameJson } from '../capture/same-json.ts'
import { UsageError } from '../errors.ts'
import { readDocuments } from '../queue/read-documents.ts'
import type { RequestedRun } from '../queue/request-run.ts'
import { readRun } from '../runs/read-runs.ts'
import { isFinished } from '../runs/run-row.ts'
import type { Run, RunKind, RunOptions } from '../runs/types.ts'
import type { CommandContext, Database } from './context.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { exitCodeOfRun } from './follow.ts'
import { ownSettings, toTheEnd, withoutDaemon } from './own-runs.ts'
import { stillRunning } from './run-text.ts'

/**
 * What the commands that ask for long runs share (backfill.ts shows how): which documents they are for, one run for each,
 * executed here where no daemon works on a document, followed to the end, one bar after the other. When one fails, the
 * next goes on; the exit code is that of the worst.
 */

/** Documents by name, or all that runs can be requested for: with --all, one that is paused holds up no other. */
export async function chosenDocuments(
  { output }: CommandContext,
  { pool, schema }: Database,
  named: readonly string[],
  all: boolean,
): Promise<{ readonly documents: readonly string[]; readonly skipped: boolean }> {
  if (all && named.length > 0) throw new UsageError('name documents or say --all, not both')
  if (!all && named.length === 0) {
    throw new UsageError('which document? Name one or several, or say --all', {
      remedy: 'sluice status lists what is installed.',
    })
  }
  if (!all) return { documents: [...new Set(named)], skipped: false }
  const installed = await readDocuments(pool, schema)
  if (installed.length === 0) {
    throw new UsageError('no document is installed', { remedy: 'Run sluice install.' })
  }
  const inactive = installed.filter(({ state }) => state !== 'active')
  for (const { name, state, reason } of inactive) {
    output.warn(`${name} is left out: it is ${state}${reason === null ? '' : ` (${reason})`}`)
  }
  const documents = installed.filter(({ state }) => state === 'active').map(({ name }) => name)
  return { documents, skipped: inactive.length > 0 }
}

/** What a command asks for, the same of each of its documents. */
export interface Asking<Answer extends RequestedRun> {
  readonly kind: RunKind
  readonly documents: readonly string[]
  readonly options: RunOptions
  /** False with --no-wait. */
  readonly wait: boolean
  /** Checks one without requesting it; a slip in one name or option then starts nothing. */
  readonly check: (document: string) => Promise<unknown>
  readonly request: (document: string) => Promise<Answer>
}

/** A run that was asked for, as it was last seen. */
export type Asked<Answer extends RequestedRun> = Answer & { readonly run: Run }

/** Requests the runs and, with `wait`, follows them until all have ended or the user interrupts. */
export async function askAndFollow<Answer extends RequestedRun>(
  context: CommandContext,
  database: Database,
  asking: Asking<Answer>,
): Promise<readonly Asked<Answer>[]> {
  const { output } = context
  const { documents, wait } = asking
  const unattended = await withoutDaemon(database, documents)
  const own = wait && unattended.length > 0 ? await ownSettings(context, database, unattended) : null
  const asked = await requestAll(context, database, asking)
  if (own !== null) output.note(`no daemon works on ${unattended.join(', ')}: it is done here`)
  if (!wait && unattended.length > 0) {
    output.warn(`no daemon works on ${unattended.join(', ')} at present: start one with sluice run`)
  }
  if (!wait) return asked
  // Another's run that does something else is not what was asked for, and not waited for.
  const followed = asked.filter((one) => isAsAsked(one, asking))
  const runs = new Map((await toTheEnd(context, database, followed, own)).map((run) => [run.id, run]))
  return asked.map((one) => ({ ...one, run: runs.get(one.id) ?? one.run }))
}

/** What is to be said after the result, and the exit code: 1 unless each run is done, or goes on without being watched. */
export function concluded<Answer extends RequestedRun>(
  { output }: CommandContext,
  asking: Asking<Answer>,
  asked: readonly Asked<Answer>[],
): ExitCode {
  const { wait } = asking
  const watched = asked.filter((one) => isAsAsked(one, asking))
  const open = watched.map(({ run }) => run).filter((run) => !isFinished(run))
  if (wait && open.length > 0) output.note(stillRunning(open))
  const refused = asked.some((one) => one.existing && !(wait && isAsAsked(one, asking)))
  const failed = watched.some(({ run }) => exitCodeOfRun(run) !== exitCodes.done)
  return refused || failed ? exitCodes.failed : exitCodes.done
}

/** True where the run is what was asked for, whoever asked first. */
function isAsAsked<Answer extends RequestedRun>(
  { existing, run }: Asked<Answer>,
  { kind, options }: Asking<Answer>,
): boolean {
  return !existing || (run.kind === kind && sameJson(run.options, options))
}

/** All are checked before the first is requested. */
async function requestAll<Answer extends RequestedRun>(
  { output }: CommandContext,
  { pool, schema }: Database,
  asking: Asking<Answer>,
): Promise<readonly Asked<Answer>[]> {
  const { documents, check, request } = asking
  for (const document of documents) await check(document)
  const all: Asked<Answer>[] = []
  for (const document of documents) {
    const answer = await request(document)
    const run = await readRun(pool, schema, answer.id)
    if (run === null) throw new UsageError(`${document} was uninstalled in this moment`)
    const asked = { ...answer, run }
    if (asked.existing && isAsAsked(asked, asking)) {
      output.note(`${document}: already under way: ${described(run)}`)
    } else if (asked.existing) {
      output.warn(
        `${document}: nothing was requested, for another run is under way: ${described(run)}; ` +
          `ask again when it has ended (sluice runs watch ${run.id}), or cancel it (sluice runs cancel ${run.id})`,
      )
    }
    all.push(asked)
  }
  return all
}

/** `run 12, a backfill {"where":"active"} requested by ann@host` */
function described({ id, kind, options, requestedBy }: Run): string {
  const how = Object.keys(options).length === 0 ? '' : ` ${JSON.stringify(options)}`
  return `run ${id}, ${kind === 'optimize' ? 'an' : 'a'} ${kind}${how} requested by ${requestedBy}`
}
