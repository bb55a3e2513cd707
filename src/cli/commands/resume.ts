import type { Command } from 'commander'
import { escapeIdentifier } from 'pg'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { installedDocument } from '../installed.ts'
import { documentStateJson } from '../json/document-state.ts'

export function registerResume(program: Command): void {
  program
    .command('resume')
    .description('Go on with a paused document, from the marks that gathered')
    .argument('<document>', 'name of an installed document')
    .addHelpText('after', examples(['sluice resume city', 'index city again']))
    .action(action(resume))
}

async function resume(context: CommandContext, document: string): Promise<ExitCode> {
  const database = await context.database()
  await installedDocument(database, document)
  await database.pool.query(`SELECT ${escapeIdentifier(database.schema)}.resume($1)`, [document])
  context.output.result(documentStateJson, { document, state: 'active' }, () => `${document} goes on.`)
  return exitCodes.done
}
