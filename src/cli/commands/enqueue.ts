import type { Command } from 'commander'
import { escapeIdentifier } from 'pg'
import { installedDocument } from '../../answers/installed.ts'
import { enqueueJson } from '../../answers/json/enqueue.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { plural } from '../format.ts'
import { keysOfDocuments } from '../keys-of-documents.ts'

export function registerEnqueue(program: Command): void {
  program
    .command('enqueue')
    .description('Mark documents to be indexed anew, whatever their state')
    .argument('<document>', 'name of an installed document')
    .argument('<id...>', '_id of each; a key of several columns is joined by ":"')
    .addHelpText(
      'after',
      examples(
        ['sluice enqueue city 42', 'index city 42 as it is now; delete it from the index if it has no row'],
        ['sluice enqueue translation 42:de 42:fr', 'two documents of a key of two columns'],
        ['sluice enqueue city -- -1', 'an id that begins with a dash'],
      ),
    )
    .action(action(enqueue))
}

async function enqueue(context: CommandContext, name: string, ids: readonly string[]): Promise<ExitCode> {
  const database = await context.database()
  const { plan } = await installedDocument(database, name)
  const lookup = async () => ({ database, elasticsearch: await context.elasticsearch() })
  const found = await keysOfDocuments(database.pool, plan, ids, lookup)
  const keys = [...new Set(found.map(({ key }) => key))]
  await database.pool.query(`SELECT ${escapeIdentifier(database.schema)}.enqueue($1, VARIADIC $2::text[])`, [
    name,
    keys,
  ])
  context.output.result(
    enqueueJson,
    { document: name, keys },
    () => `Marked ${plural(keys.length, 'key', 'keys')} of ${name}.`,
  )
  return exitCodes.done
}
