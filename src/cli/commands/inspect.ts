import type { Command } from 'commander'
import { installedDocument } from '../../answers/installed.ts'
import { inspectJson } from '../../answers/json/inspect.ts'
import { UsageError } from '../../errors.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { inspectDocument } from '../inspection.ts'
import { inspectionText } from '../inspection-text.ts'
import { keysOfDocuments } from '../keys-of-documents.ts'
import { NOT_AT_HAND, transformOf } from '../transform-of.ts'

export function registerInspect(program: Command): void {
  program
    .command('inspect')
    .description('One document: row, marks, failure and indexed copy, and why they differ')
    .argument('<document>', 'name of an installed document')
    .argument('<id>', 'its _id; a key of several columns is joined by ":"')
    .addHelpText(
      'after',
      examples(
        ['sluice inspect city 42', 'is city 42 in Elasticsearch as it is in Postgres? Exit code 3 when not'],
        ['sluice inspect city 42 --json | jq .why', 'why not'],
      ),
    )
    .action(action(inspect))
}

async function inspect(context: CommandContext, name: string, id: string): Promise<ExitCode> {
  const database = await context.database()
  const installed = await installedDocument(database, name)
  const lookup = async () => ({ database, elasticsearch: await context.elasticsearch() })
  const [key] = await keysOfDocuments(database.pool, installed.plan, [id], lookup)
  if (key === undefined) return exitCodes.failed
  const transform = await transformOf(context, installed)
  if (transform === 'unknown') {
    throw new UsageError(NOT_AT_HAND, {
      remedy: 'Name that configuration with --config, or run sluice install.',
    })
  }
  const inspection = await inspectDocument(await lookup(), { installed, transform }, key)
  context.output.result(inspectJson, inspection, () => inspectionText(inspection))
  return inspection.differs ? exitCodes.differences : exitCodes.done
}
