import type { Command } from 'commander'
import { installedDocument } from '../../answers/installed.ts'
import { documentStateJson } from '../../answers/json/document-state.ts'
import { pauseByOperator } from '../../queue/operator-state.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'

export function registerPause(program: Command): void {
  program
    .command('pause')
    .description('Stop indexing a document; its marks gather in the queue')
    .argument('<document>', 'name of an installed document')
    .option('--reason <text>', 'why; shown by status')
    .addHelpText(
      'after',
      examples(
        ['sluice pause city', 'stop indexing city, until sluice resume city'],
        ['sluice pause city --reason "mapping under repair"', 'the same, and status says why'],
      ),
    )
    .action(action(pause))
}

async function pause(
  context: CommandContext,
  document: string,
  options: { reason?: string },
): Promise<ExitCode> {
  const database = await context.database()
  await installedDocument(database, document)
  await pauseByOperator(database.pool, database.schema, document, options.reason ?? null)
  context.output.result(
    documentStateJson,
    { document, state: 'paused' },
    () => `${document} is paused. Its marks gather until: sluice resume ${document}`,
  )
  return exitCodes.done
}
