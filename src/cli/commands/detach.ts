import type { Command } from 'commander'
import { installedDocument } from '../../answers/installed.ts'
import { detachJson } from '../../answers/json/detach.ts'
import { detach } from '../../capture/detach.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { plural } from '../format.ts'

export function registerDetach(program: Command): void {
  program
    .command('detach')
    .description('Emergency switch: take the triggers of a document off its tables, in one statement')
    .argument('<document>', 'name of an installed document')
    .addHelpText(
      'after',
      `${examples(
        ['sluice detach city', 'changes of city are no longer noticed, until sluice install'],
        ['psql -c "SELECT sluice.detach(\'city\')"', 'the same, where only psql is at hand'],
      )}

The index stays, with documents of this moment. sluice install puts the triggers back and
has every document looked at again, so that nothing that changed meanwhile is missed.`,
    )
    .action(action(runDetach))
}

async function runDetach(context: CommandContext, document: string): Promise<ExitCode> {
  const database = await context.database()
  await installedDocument(database, document)
  const triggers = await detach(database.pool, database.schema, document)
  context.output.result(detachJson, { document, triggers }, () =>
    [
      `${document} is detached: ${plural(triggers, 'trigger', 'triggers')} dropped. Its changes are no longer noticed.`,
      'sluice install puts the triggers back and has every document looked at again.',
    ].join('\n'),
  )
  return exitCodes.done
}
