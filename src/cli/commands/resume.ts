import type { Command } from 'commander'
import { installedDocument } from '../../answers/installed.ts'
import { resumeJson } from '../../answers/json/document-state.ts'
import { resumeByOperator } from '../../queue/operator-state.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { plural } from '../format.ts'

export function registerResume(program: Command): void {
  program
    .command('resume')
    .description('Go on with a paused document, from the marks that gathered')
    .argument('<document>', 'name of an installed document')
    .option('--deletes', 'carry out the deletes that the mass-delete brake holds back')
    .addHelpText(
      'after',
      examples(
        ['sluice resume city', 'index city again; look again at deletes that are held back'],
        ['sluice resume city --deletes', 'those documents are to go'],
      ),
    )
    .action(action(resume))
}

async function resume(
  context: CommandContext,
  document: string,
  { deletes = false }: { deletes?: boolean },
): Promise<ExitCode> {
  const database = await context.database()
  await installedDocument(database, document)
  const released = await resumeByOperator(database.pool, database.schema, document, deletes)
  context.output.result(resumeJson, { document, state: 'active', released }, () =>
    [`${document} goes on.`, ...(released === 0 ? [] : [releasedText(released, deletes)])].join(' '),
  )
  return exitCodes.done
}

function releasedText(released: number, deletes: boolean): string {
  const held = `${plural(released, 'delete that was', 'deletes that were')} held back`
  return deletes ? `${held}: carried out.` : `${held}: looked at again.`
}
