import { type Command, InvalidArgumentError } from 'commander'
import { installedDocument } from '../../answers/installed.ts'
import { probeJson } from '../../answers/json/probe.ts'
import { UsageError } from '../../errors.ts'
import { readDocuments } from '../../queue/read-documents.ts'
import { action, examples } from '../command.ts'
import type { CommandContext, Database } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { probe } from '../probe/probe.ts'
import { probeText } from '../probe/probe-text.ts'

interface Options {
  readonly id?: string
  readonly touch?: boolean
  readonly timeout: number
}

export function registerProbe(program: Command): void {
  program
    .command('probe')
    .description('Send one document through queue, daemon and Elasticsearch, and time each leg')
    .argument('[document]', 'name of an installed document; default: the first that is active')
    .option('--id <id>', '_id of the document to send; default: one that is there')
    .option(
      '--touch',
      'begin with an UPDATE that changes nothing, so that triggers are measured; your own fire, too',
    )
    .option('--timeout <seconds>', 'how long to wait for it', seconds, 30)
    .addHelpText(
      'after',
      examples(
        [
          'sluice probe',
          'does a mark come through, and where does the time go? Exit code 3 when it does not, or triggers are off',
        ],
        ['sluice probe city --id 42 --touch', 'the same from the row of city 42 on'],
        ['sluice probe city --timeout 5 --json | jq .why', 'what keeps it'],
      ),
    )
    .action(action(run))
}

async function run(
  context: CommandContext,
  name: string | undefined,
  { id, touch = false, timeout }: Options,
): Promise<ExitCode> {
  const database = await context.database()
  const installed = await installedDocument(database, name ?? (await anyDocument(database)))
  const servers = { database, elasticsearch: await context.elasticsearch() }
  const found = await probe(servers, installed, { id, touch, timeoutMs: timeout * 1000 })
  context.output.result(probeJson, found, () => probeText(found))
  // What was sent by enqueue arrives without triggers, and the changes of others do not.
  const whole = found.arrived && (found.triggers?.gaps ?? []).length === 0
  return whole ? exitCodes.done : exitCodes.differences
}

async function anyDocument({ pool, schema }: Database): Promise<string> {
  const documents = await readDocuments(pool, schema)
  const found = documents.find(({ state }) => state === 'active') ?? documents[0]
  if (found !== undefined) return found.name
  throw new UsageError('no document is installed', {
    remedy: 'sluice install puts the documents of the configuration into effect.',
  })
}

function seconds(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('Seconds are needed, 1 to 9999.')
  return Number(text)
}
