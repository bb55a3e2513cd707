import type { Command } from 'commander'
import { UsageError } from '../../errors.ts'
import { readDocuments } from '../../queue/read-documents.ts'
import { readRun } from '../../runs/read-runs.ts'
import { checkBackfill, type Requested, requestBackfill } from '../../runs/request-backfill.ts'
import { isFinished } from '../../runs/run-row.ts'
import type { Run, RunOptions } from '../../runs/types.ts'
import { action, examples } from '../command.ts'
import type { CommandContext, Database } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { backfillJson } from '../json/run.ts'
import { ownSettings, toTheEnd, whoAsks, withoutDaemon } from '../own-runs.ts'
import { exitCodeOfRun, outcomeText, runToJson, stillRunning } from './runs.ts'

export function registerBackfill(program: Command): void {
  program
    .command('backfill')
    .description('Index the rows that are there, anew; changes of others go first')
    .argument('[document...]', 'names of installed documents')
    .option('--all', 'every installed document')
    .option(
      '--since <when>',
      'only rows changed since: an interval ("2 hours") or a timestamp; with --column',
    )
    .option('--column <name>', 'date or timestamp that tells when a row changed')
    .option('--where <condition>', 'only rows of the root table that match, with a document or without')
    .option('--no-wait', 'request it and return')
    .addHelpText(
      'after',
      examples(
        ['sluice backfill city', 'all documents of city, with a progress bar; Ctrl-C leaves it running'],
        ['sluice backfill --all --no-wait', 'request it for every document and return'],
        ['sluice backfill city --since "2 hours" --column updated_at', 'rows changed in the last two hours'],
        [
          'sluice backfill city --where "expires_at < now()"',
          'rows that lose their document as time passes, too',
        ],
      ),
    )
    .action(action(backfill))
}

interface BackfillFlags extends RunOptions {
  readonly all?: boolean
  readonly wait: boolean
}

async function backfill(
  context: CommandContext,
  named: readonly string[],
  { all = false, wait, ...options }: BackfillFlags,
): Promise<ExitCode> {
  const database = await context.database()
  const { output } = context
  const { documents, skipped } = await chosen(context, database, named, all)
  const unattended = await withoutDaemon(database, documents)
  const own = wait && unattended.length > 0 ? await ownSettings(context, database, unattended) : null
  const requested = await requestAll(context, database, documents, options)

  if (own !== null) output.note(`no daemon works on ${unattended.join(', ')}: it is done here`)
  const runs = wait ? await toTheEnd(context, database, requested, own) : requested.map(({ run }) => run)
  if (!wait && unattended.length > 0) {
    output.warn(`no daemon works on ${unattended.join(', ')} at present: start one with sluice run`)
  }

  const printed = runs.map((run, n) => ({ ...runToJson(run), existing: requested[n]?.existing ?? false }))
  output.result(backfillJson, { runs: printed }, () => runs.map(outcomeText).join('\n'))
  if (wait && runs.some((run) => !isFinished(run))) output.note(stillRunning(runs))
  const refused = skipped || (!wait && requested.some(({ existing }) => existing))
  return refused || runs.some((run) => exitCodeOfRun(run) !== exitCodes.done)
    ? exitCodes.failed
    : exitCodes.done
}

/** Documents by name, or all that can be backfilled: with --all, one that is paused holds up no other. */
async function chosen(
  { output }: CommandContext,
  { pool, schema }: Database,
  named: readonly string[],
  all: boolean,
): Promise<{ documents: readonly string[]; skipped: boolean }> {
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

interface RequestedRun extends Requested {
  readonly run: Run
}

/** All are checked before the first is requested: a slip in one name starts nothing. */
async function requestAll(
  { output }: CommandContext,
  { pool, schema }: Database,
  documents: readonly string[],
  options: RunOptions,
): Promise<readonly RequestedRun[]> {
  for (const document of documents) await checkBackfill(pool, schema, { document, options })
  const requests: RequestedRun[] = []
  for (const document of documents) {
    const requested = await requestBackfill(pool, schema, { document, options, requestedBy: whoAsks() })
    const run = await readRun(pool, schema, requested.id)
    if (run === null) throw new UsageError(`${document} was uninstalled in this moment`)
    for (const warning of requested.warnings) output.warn(`${document}: ${warning}`)
    if (requested.existing) {
      output.note(
        `${document}: already under way: run ${run.id}, a ${run.kind} requested by ${run.requestedBy}`,
      )
    }
    requests.push({ ...requested, run })
  }
  return requests
}
