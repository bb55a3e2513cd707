import { hostname, userInfo } from 'node:os'
import { pino } from 'pino'
import { sameJson } from '../capture/same-json.ts'
import type { Settings } from '../config/types.ts'
import { definitionHash } from '../documents/hash.ts'
import { ConfigError, UsageError } from '../errors.ts'
import { readDocuments } from '../queue/read-documents.ts'
import type { RequestedRun } from '../queue/request-run.ts'
import { Instance } from '../runs/instance.ts'
import { readRun, readWaits } from '../runs/read-runs.ts'
import { attendedDocuments } from '../runs/request-backfill.ts'
import { isFinished } from '../runs/run-row.ts'
import type { Run, RunKind, RunOptions } from '../runs/types.ts'
import { watchRun } from '../runs/watch-run.ts'
import type { CommandContext, Database } from './context.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { count } from './format.ts'
import type { Output } from './output.ts'
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
      output.note(`${document}: already under way: ${runText(run)}`)
    } else if (asked.existing) {
      output.warn(
        `${document}: nothing was requested, for another run is under way: ${runText(run)}; ` +
          `ask again when it has ended (sluice runs watch ${run.id}), or cancel it (sluice runs cancel ${run.id})`,
      )
    }
    all.push(asked)
  }
  return all
}

/** `run 12, a backfill {"where":"active"} requested by ann@host` */
function runText({ id, kind, options, requestedBy }: Run): string {
  const how = Object.keys(options).length === 0 ? '' : ` ${JSON.stringify(options)}`
  return `run ${id}, ${kind === 'optimize' ? 'an' : 'a'} ${kind}${how} requested by ${requestedBy}`
}

async function withoutDaemon(
  { pool, schema }: Database,
  documents: readonly string[],
): Promise<readonly string[]> {
  const attended = await attendedDocuments(pool, schema)
  return documents.filter((document) => !attended.has(document))
}

/** Follows the runs, one bar after the other. With settings, this process is a daemon meanwhile. */
async function toTheEnd(
  context: CommandContext,
  database: Database,
  requested: readonly { readonly run: Run }[],
  own: Settings | null,
): Promise<readonly Run[]> {
  const followAll = async (signal: AbortSignal) => {
    const runs: Run[] = []
    for (const { run } of requested) runs.push(await follow(context, database, run, signal))
    return runs
  }
  if (own === null) return followAll(context.interrupted)

  const instance = new Instance({
    settings: own,
    log: pino({ level: 'silent' }),
    readElasticsearch: context.readElasticsearch,
  })
  const gaveUp = new AbortController()
  instance.start()
  // It ends by itself only by an error; that error is the command's.
  const failed = instance.finished.finally(() => gaveUp.abort())
  try {
    const followed = followAll(AbortSignal.any([context.interrupted, gaveUp.signal]))
    await Promise.race([followed, failed])
    await instance.stop()
    // Once more: a run that is not at its end was released in this moment.
    return await Promise.all(
      (await followed).map(async (run) => (await readRun(database.pool, database.schema, run.id)) ?? run),
    )
  } finally {
    await instance.stop()
  }
}

/**
 * What a daemon in this process needs, when none is alive that works on the documents. Checked first, for such a
 * daemon would wait without an end for a server that is away, or for a definition that is not its own.
 */
async function ownSettings(
  context: CommandContext,
  { pool, schema }: Database,
  unattended: readonly string[],
): Promise<Settings> {
  const settings = await context.settings()
  await context.elasticsearch()
  const installed = new Map((await readDocuments(pool, schema)).map(({ name, hash }) => [name, hash]))
  for (const document of unattended) {
    // A name that is not installed is refused by the request, which says more.
    if (!installed.has(document)) continue
    const definition = settings.documents.get(document)
    if (definition !== undefined && definitionHash(definition) === installed.get(document)) continue
    throw new ConfigError(
      definition === undefined
        ? 'no daemon works on it, and this configuration does not have it'
        : 'no daemon works on it, and its definition here is not the installed one',
      {
        where: `documents.${document}`,
        remedy: 'Run sluice install, or start a daemon with the configuration it was installed from.',
      },
    )
  }
  return settings
}

/** `ann@host`, for `sync_run.requested_by`. */
export function whoAsks(): string {
  return `${userName()}@${hostname()}`
}

/** A container's user may have no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'unknown')
  }
}

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
