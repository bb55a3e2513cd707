import type { Command } from 'commander'
import { uninstallJson } from '../../answers/json/uninstall.ts'
import { uninstall } from '../../capture/uninstall.ts'
import { action, examples } from '../command.ts'
import { confirm } from '../confirm.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { stepsText } from '../steps.ts'

interface Options {
  readonly yes?: true
  readonly keepIndices?: true
}

export function registerUninstall(program: Command): void {
  program
    .command('uninstall')
    .description('Remove everything sluice has made in the database and in Elasticsearch')
    .argument('[document]', 'remove this document alone')
    .option('--keep-indices', 'leave Elasticsearch as it is: indices, aliases, templates')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      examples(
        ['sluice uninstall', 'print what would be removed, ask, and remove it'],
        ['sluice uninstall city --yes', 'one document, without asking'],
        ['sluice uninstall --keep-indices', 'the database side alone; searches go on, with data of today'],
      ),
    )
    .action(action(runUninstall))
}

async function runUninstall(
  context: CommandContext,
  document: string | undefined,
  options: Options,
): Promise<ExitCode> {
  const { output } = context
  const { schema } = await context.base()
  const keepIndices = options.keepIndices ?? false
  const { plan, done } = await uninstall({
    pool: await context.pool(),
    elasticsearch: keepIndices ? null : await context.elasticsearch(),
    schema,
    document: document ?? null,
    keepIndices,
    confirm: async (planned) => {
      for (const note of planned.notes) output.warn(note)
      output.note(stepsText(planned.steps, process.stderr))
      return options.yes === true || (await confirm(`Remove these ${planned.steps.length} things?`, output))
    },
    onWait: output.note,
  })
  output.result(uninstallJson, { done, steps: [...plan.steps], notes: [...plan.notes] }, () => {
    if (plan.steps.length === 0) return `Nothing to do: there is no schema ${schema} of sluice.`
    return done ? 'Uninstalled.' : 'Nothing was changed.'
  })
  return done || plan.steps.length === 0 ? exitCodes.done : exitCodes.failed
}
