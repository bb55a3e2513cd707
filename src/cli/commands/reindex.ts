import { type Command, InvalidArgumentError } from 'commander'
import { pino } from 'pino'
import { reindexJson } from '../../answers/json/reindex.ts'
import { runToJson } from '../../answers/run-to-json.ts'
import { type InstallResult, install } from '../../capture/install.ts'
import { milliseconds } from '../../config/duration.ts'
import { FailedError, UsageError } from '../../errors.ts'
import { readDocuments } from '../../queue/read-documents.ts'
import type { RequestedRun } from '../../queue/request-run.ts'
import { assertActive } from '../../runs/active-document.ts'
import { readRun } from '../../runs/read-runs.ts'
import { activeRun, requestReindex } from '../../runs/reindex-request.ts'
import { isFinished } from '../../runs/run-row.ts'
import type { Run, RunOptions } from '../../runs/types.ts'
import { dropRetired } from '../../sync/retired-indices.ts'
import { action, examples } from '../command.ts'
import type { CommandContext, Database } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { exitCodeOfRun } from '../follow.ts'
import { ownSettings, toTheEnd, whoAsks, withoutDaemon } from '../own-runs.ts'
import { outcomeText, stillRunning } from '../run-text.ts'
import { stepsText } from '../steps.ts'

export function registerReindex(program: Command): void {
  program
    .command('reindex')
    .description('Build a new index beside the living one, and move the alias to it; searches go on')
    .argument('<document>', 'name of a document')
    .option(
      '--keep <time>',
      'how long the index before is kept, and written to, for --rollback: 24h, 30m, 2d, 0',
      time,
    )
    .option('--rollback', 'move the alias back to the index that was kept')
    .option(
      '--adopt',
      'take the place of an index that has the name of the alias; it is dropped in the end, and a search that is under way in it at that moment may be answered 503',
    )
    .option('--no-wait', 'request it and return')
    .addHelpText(
      'after',
      `${examples(
        [
          'sluice reindex city',
          'a new index by the definition of now, and one alias swap; Ctrl-C leaves it running',
        ],
        ['sluice reindex city --keep 0', 'the index before is dropped at once'],
        ['sluice reindex city --rollback', 'back to the index before, which is current'],
        ['sluice reindex cities --adopt', 'an existing index "cities" becomes an alias, in one request'],
      )}

Where the configuration has changed, the document is installed first: what takes a new index, sluice install leaves
to this command. It takes disk space for a second copy; the index before is kept for a day unless --keep says otherwise.
Until the swap, a run that fails or is cancelled leaves everything as it was: docs/reindex.md.`,
    )
    .action(action(reindex))
}

interface Flags {
  readonly keep?: number
  readonly rollback?: true
  readonly adopt?: true
  readonly wait: boolean
}

interface Requested extends RequestedRun {
  readonly installed: InstallResult | null
}

async function reindex(context: CommandContext, document: string, flags: Flags): Promise<ExitCode> {
  const { keep, rollback, adopt, wait } = flags
  if (rollback === true && adopt === true) throw new UsageError('say --rollback or --adopt, not both')
  const options: RunOptions = {
    ...(keep === undefined ? {} : { keepMs: keep }),
    ...(rollback === true ? { rollback } : {}),
    ...(adopt === true ? { adopt } : {}),
  }
  const { output } = context
  const requested = await request(context, document, options)
  const database = await context.database()
  const first = await readRun(database.pool, database.schema, requested.id)
  if (first === null) throw new UsageError(`${document} was uninstalled in this moment`)
  if (requested.existing) {
    output.note(
      `${document}: already under way: run ${first.id}, a ${first.kind} requested by ${first.requestedBy}`,
    )
  }
  const run = await carriedOut(context, database, first, wait)
  print(context, run, requested)
  if (wait && !isFinished(run)) output.note(stillRunning([run]))
  const other = requested.existing && (!wait || run.kind !== 'reindex')
  return other ? exitCodes.failed : exitCodeOfRun(run)
}

/** The definition is put into effect where it has changed, and the run requested with it; otherwise the run alone. */
async function request(context: CommandContext, document: string, options: RunOptions): Promise<Requested> {
  const { file } = await context.base()
  const definition = file === null ? undefined : (await context.definitions()).get(document)
  if (definition !== undefined && options.rollback !== true) {
    const installed = await installChanged(context, document, options)
    const [run] = installed?.runs ?? []
    if (run !== undefined) return { id: run.id, existing: false, installed }
  }
  const database = await context.database()
  const elasticsearch = await context.elasticsearch()
  const asked = { document, options, requestedBy: whoAsks() }
  return { ...(await requestReindex({ ...database, elasticsearch }, asked)), installed: null }
}

/** Null where there is nothing to be installed, or a run is under way. */
async function installChanged(
  context: CommandContext,
  document: string,
  options: RunOptions,
): Promise<InstallResult | null> {
  const { postgres: url, schema, documents: definitions } = await context.settings()
  const pool = await context.pool()
  const elasticsearch = await context.elasticsearch()
  const { output } = context
  // Without our schema nothing is installed; install makes it.
  const installed = await readDocuments(pool, schema).catch(() => [])
  const known = installed.find(({ name }) => name === document)
  if (known === undefined) await assertAdoptable(context, document, definitions.get(document)?.index, options)
  if (known !== undefined && (await activeRun({ pool, schema }, document)) !== null) return null
  return install({
    pool,
    url,
    schema,
    definitions,
    elasticsearch,
    backfill: true,
    only: document,
    reindex: { options, requestedBy: whoAsks() },
    dryRun: false,
    onPlan: ({ changes, steps, notes }) => {
      for (const note of notes) output.warn(note)
      const [change] = changes
      // One that is paused or detached may be what the new definition puts right.
      if (known !== undefined && change?.activate !== true) assertActive(known)
      if (known?.state === 'detached' && change?.index.reindex === null) assertActive(known)
      if (steps.length > 0) output.note(stepsText(steps, process.stderr))
    },
    onWait: output.note,
  })
}

/** A document that is not installed has nothing to be replaced, but for an index that is to be adopted. */
async function assertAdoptable(
  context: CommandContext,
  document: string,
  index: string | undefined,
  { adopt }: RunOptions,
): Promise<void> {
  const elasticsearch = await context.elasticsearch()
  if (adopt !== true) {
    throw new UsageError(`no document "${document}" is installed`, {
      remedy: 'sluice install makes its index and requests a backfill.',
    })
  }
  if (index !== undefined && (await elasticsearch.aliasTargets(index)).concrete) return
  throw new FailedError(`there is no index ${index} to be adopted`, {
    where: document,
    remedy: 'sluice install makes one and requests a backfill.',
  })
}

/** By the daemons, or here where none works on the document. Then what it has replaced or given up is dropped here, too. */
async function carriedOut(
  context: CommandContext,
  database: Database,
  requested: Run,
  wait: boolean,
): Promise<Run> {
  const { document } = requested
  const { output } = context
  const unattended = await withoutDaemon(database, [document])
  if (!wait) {
    if (unattended.length > 0)
      output.warn(`no daemon works on ${document} at present: start one with sluice run`)
    return requested
  }
  const own = unattended.length > 0 ? await ownSettings(context, database, unattended) : null
  if (own !== null) output.note(`no daemon works on ${document}: it is done here`)
  const [run = requested] = await toTheEnd(context, database, [{ run: requested }], own)
  if (own !== null) {
    const { pool, schema } = database
    const elasticsearch = await context.elasticsearch()
    await dropRetired({ pool, schema, elasticsearch, log: pino({ level: 'silent' }) })
  }
  return run
}

function print({ output }: CommandContext, run: Run, { existing, installed }: Requested): void {
  const result = run.result?.reindex
  output.result(
    reindexJson,
    {
      run: { ...runToJson(run), existing },
      steps: [...(installed?.plan.steps ?? [])],
      indices: (result?.indices ?? []).map((one) => ({ ...one })),
      keptUntil: result?.keptUntil ?? null,
      refused: result?.refused ?? 0,
    },
    () => [outcomeText(run), ...resultText(run)].join('\n'),
  )
}

function resultText({ document, result }: Run): readonly string[] {
  if (result?.reindex === undefined) return []
  const { indices, keptUntil } = result.reindex
  const moved =
    indices.length === 1
      ? indices.map(({ alias, index }) => `${alias} points to ${index} now`)
      : [`${indices.length} aliases point to new indices now`]
  const until = keptUntil === null ? null : `${keptUntil.slice(0, 16).replace('T', ' ')} UTC`
  const kept =
    until === null
      ? 'What was before is dropped.'
      : `What was before is kept, and written to, until ${until}: sluice reindex ${document} --rollback goes back.`
  return [...moved, kept]
}

/** `24h`, `30m`, `2d`, `0`. */
function time(text: string): number {
  const time = milliseconds(text)
  if (time !== null) return time
  throw new InvalidArgumentError('A time is needed: 24h, 30m, 2d, or 0 for not at all.')
}
