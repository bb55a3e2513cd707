import { type Command, InvalidArgumentError } from 'commander'
import { verifyJson } from '../../answers/json/verify.ts'
import { runToJson } from '../../answers/run-to-json.ts'
import { UsageError } from '../../errors.ts'
import type { RequestedRun } from '../../queue/request-run.ts'
import { differenceCount } from '../../runs/comparison.ts'
import { checkVerify, requestVerify } from '../../runs/request-verify.ts'
import type { Run, RunOptions } from '../../runs/types.ts'
import { isSampleSize } from '../../runs/verify-options.ts'
import { type Asking, askAndFollow, chosenDocuments, concluded } from '../ask-for-runs.ts'
import { action, examples } from '../command.ts'
import { examplesText } from '../comparison-text.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { whoAsks } from '../own-runs.ts'
import { outcomeText } from '../run-text.ts'

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
  const { pool, schema } = database
  const { documents, skipped } = await chosenDocuments(context, database, named, named.length === 0)
  const asking: Asking<RequestedRun> = {
    kind: 'verify',
    documents,
    options,
    wait,
    check: (document) => checkVerify(pool, schema, { document, options }),
    request: (document) => requestVerify(pool, schema, { document, options, requestedBy: whoAsks() }),
  }
  const asked = await askAndFollow(context, database, asking)
  const printed = asked.map(({ run, existing }) => ({
    ...runToJson(run),
    existing,
    comparison: run.result?.comparison ?? null,
  }))
  context.output.result(verifyJson, { runs: printed }, () =>
    asked.map(({ run }) => verifyText(run)).join('\n'),
  )
  const code = concluded(context, asking, asked)
  if (!wait) return skipped ? exitCodes.failed : code
  const runs = asked.map(({ run }) => run)
  for (const run of runs) if (isUnverified(run)) context.output.warn(`${run.document} was not verified`)
  return skipped || code !== exitCodes.done ? exitCodes.failed : exitCodeOf(runs)
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
