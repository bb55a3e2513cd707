import { type Command, InvalidArgumentError } from 'commander'
import { UsageError } from '../../errors.ts'
import { readDocuments } from '../../queue/read-documents.ts'
import { differenceCount } from '../../runs/comparison.ts'
import { readRun } from '../../runs/read-runs.ts'
import { checkVerify, requestVerify } from '../../runs/request-verify.ts'
import { isFinished } from '../../runs/run-row.ts'
import type { Run, RunOptions } from '../../runs/types.ts'
import { isSampleSize } from '../../runs/verify-options.ts'
import { action, examples } from '../command.ts'
import { examplesText } from '../comparison-text.ts'
import type { CommandContext, Database } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { verifyJson } from '../json/verify.ts'
import { ownSettings, toTheEnd, whoAsks, withoutDaemon } from '../own-runs.ts'
import { outcomeText, runToJson, stillRunning } from '../run-text.ts'

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('Compare rows and documents: missing, stale and extra ones; exit code 3 where they differ')
    .argument('[document...]', 'names of installed documents (default: all)')
    .option('--deep', 'compare contents, not only whether there is a document')
    .option('--sample <count>', 'so many rows and documents chosen at random, instead of all', sampleSize)
    .option('--repair', 'put right what differs, and look again')
    .option('--repair-extra', 'delete documents without a row, and repair nothing else')
    .option(
      '--deletes',
      'with a repair: what it deletes is confirmed, and the mass-delete brake lets it pass',
    )
    .option('--no-wait', 'request it and return')
    .addHelpText(
      'after',
      examples(
        ['sluice verify', 'all documents, by id'],
        ['sluice verify city --deep', 'contents, too'],
        ['sluice verify city --sample 1000 --deep', 'a quick look at a thousand'],
        ['sluice verify city --repair', 'exit code 0 only when nothing differs afterwards'],
      ),
    )
    .action(action(verify))
}

interface VerifyFlags {
  readonly deep?: boolean
  readonly sample?: number
  readonly repair?: boolean
  readonly repairExtra?: boolean
  readonly deletes?: boolean
  readonly wait: boolean
}

async function verify(
  context: CommandContext,
  named: readonly string[],
  { wait, ...flags }: VerifyFlags,
): Promise<ExitCode> {
  const options = optionsOf(flags)
  const database = await context.database()
  const { output } = context
  const { documents, skipped } = await chosen(context, database, named)
  const unattended = await withoutDaemon(database, documents)
  const own = wait && unattended.length > 0 ? await ownSettings(context, database, unattended) : null
  const requested = await requestAll(context, database, documents, options)

  if (own !== null) output.note(`no daemon works on ${unattended.join(', ')}: it is done here`)
  const runs = wait ? await toTheEnd(context, database, requested, own) : requested.map(({ run }) => run)
  if (!wait && unattended.length > 0) {
    output.warn(`no daemon works on ${unattended.join(', ')} at present: start one with sluice run`)
  }

  const printed = runs.map((run, n) => ({
    ...runToJson(run),
    existing: requested[n]?.existing ?? false,
    comparison: run.result?.comparison ?? null,
  }))
  output.result(verifyJson, { runs: printed }, () => runs.map(verifyText).join('\n'))
  if (!wait) return skipped || requested.some(({ existing }) => existing) ? exitCodes.failed : exitCodes.done
  if (runs.some((run) => !isFinished(run))) output.note(stillRunning(runs))
  for (const run of runs) if (isUnverified(run)) output.warn(`${run.document} was not verified`)
  return skipped ? exitCodes.failed : exitCodeOf(runs)
}

function optionsOf({ deep, sample, repair, repairExtra, deletes }: Omit<VerifyFlags, 'wait'>): RunOptions {
  if (repair && repairExtra) throw new UsageError('say --repair or --repair-extra, not both')
  if (deletes && !repair && !repairExtra) throw new UsageError('goes with --repair', { where: '--deletes' })
  return {
    ...(deep === undefined ? {} : { deep }),
    ...(sample === undefined ? {} : { sample }),
    ...(repair ? { repair: 'all' as const } : {}),
    ...(repairExtra ? { repair: 'extra' as const } : {}),
    ...(deletes === undefined ? {} : { deletes }),
  }
}

/** Documents by name, or all that can be verified. */
async function chosen(
  { output }: CommandContext,
  { pool, schema }: Database,
  named: readonly string[],
): Promise<{ documents: readonly string[]; skipped: boolean }> {
  if (named.length > 0) return { documents: [...new Set(named)], skipped: false }
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

interface RequestedRun {
  readonly run: Run
  readonly existing: boolean
}

/** All are checked before the first is requested: a slip in one name starts nothing. */
async function requestAll(
  { output }: CommandContext,
  { pool, schema }: Database,
  documents: readonly string[],
  options: RunOptions,
): Promise<readonly RequestedRun[]> {
  for (const document of documents) await checkVerify(pool, schema, { document, options })
  const requests: RequestedRun[] = []
  for (const document of documents) {
    const { id, existing } = await requestVerify(pool, schema, { document, options, requestedBy: whoAsks() })
    const run = await readRun(pool, schema, id)
    if (run === null) throw new UsageError(`${document} was uninstalled in this moment`)
    if (existing) {
      output.note(
        `${document}: already under way: run ${run.id}, a ${run.kind} requested by ${run.requestedBy}`,
      )
    }
    requests.push({ run, existing })
  }
  return requests
}

function verifyText(run: Run): string {
  const shown = run.result?.comparison === undefined ? '' : examplesText(run.result.comparison)
  return shown === '' ? outcomeText(run) : `${outcomeText(run)}\n${shown}`
}

/** It failed, goes on, or was another run that was under way. */
function isUnverified({ state, result }: Run): boolean {
  return state !== 'done' || result?.comparison === undefined
}

/** 0 says that nothing differs: of all documents, and after a repair. */
function exitCodeOf(runs: readonly Run[]): ExitCode {
  if (runs.some(isUnverified)) return exitCodes.failed
  const differ = runs.some(({ result }) => {
    const { comparison } = result ?? {}
    return comparison !== undefined && differenceCount(comparison.left ?? comparison) > 0
  })
  return differ ? exitCodes.differences : exitCodes.done
}

function sampleSize(text: string): number {
  const size = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (!isSampleSize(size)) throw new InvalidArgumentError('A number from 1 to 10000 is needed.')
  return size
}
