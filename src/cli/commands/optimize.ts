import { type Command, InvalidArgumentError } from 'commander'
import { optimizeJson } from '../../answers/json/run.ts'
import { runToJson } from '../../answers/run-to-json.ts'
import type { RequestedRun } from '../../queue/request-run.ts'
import { activeDocument } from '../../runs/active-document.ts'
import { DEFAULT_THRESHOLD } from '../../runs/optimize.ts'
import { requestOptimize } from '../../runs/request-optimize.ts'
import type { RunOptions } from '../../runs/types.ts'
import { type Asking, askAndFollow, chosenDocuments, concluded } from '../ask-for-runs.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { optimizedLines } from '../optimization-text.ts'
import { whoAsks } from '../own-runs.ts'
import { outcomeText } from '../run-text.ts'

export function registerOptimize(program: Command): void {
  program
    .command('optimize')
    .description('Merge deleted documents away where they have become many')
    .argument('[document...]', 'names of installed documents (default: all)')
    .option(
      '--threshold <share>',
      `share of deleted documents from which an index is merged (default: ${DEFAULT_THRESHOLD})`,
      share,
    )
    .option('--no-wait', 'request it and return')
    .addHelpText(
      'after',
      examples(
        ['sluice optimize', 'indices of all documents that are a fifth deleted documents or more'],
        ['sluice optimize city --threshold 0.05', 'of one document, from a twentieth on'],
      ),
    )
    .action(action(optimize))
}

interface OptimizeFlags extends RunOptions {
  readonly wait: boolean
}

async function optimize(
  context: CommandContext,
  named: readonly string[],
  { wait, ...options }: OptimizeFlags,
): Promise<ExitCode> {
  const database = await context.database()
  const { pool, schema } = database
  const { documents, skipped } = await chosenDocuments(context, database, named, named.length === 0)
  const asking: Asking<RequestedRun> = {
    kind: 'optimize',
    documents,
    options,
    wait,
    check: (document) => activeDocument(pool, schema, document),
    request: (document) => requestOptimize(pool, schema, { document, options, requestedBy: whoAsks() }),
  }
  const asked = await askAndFollow(context, database, asking)
  const runs = asked.map(({ run, existing }) => ({ ...runToJson(run), existing }))
  context.output.result(optimizeJson, { runs }, () =>
    asked
      .flatMap(({ run }) => [
        outcomeText(run),
        ...(run.result?.optimize === undefined ? [] : optimizedLines(run.result.optimize)),
      ])
      .join('\n'),
  )
  const code = concluded(context, asking, asked)
  return skipped ? exitCodes.failed : code
}

function share(text: string): number {
  const value = Number(text)
  if (!/^[\d.]+$/.test(text) || !(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError('A share from 0 to 1 is needed: 0.2 is a fifth.')
  }
  return value
}
