import type { Command } from 'commander'
import { backfillJson } from '../../answers/json/run.ts'
import { runToJson } from '../../answers/run-to-json.ts'
import { checkBackfill, type RequestedBackfill, requestBackfill } from '../../runs/request-backfill.ts'
import type { RunOptions } from '../../runs/types.ts'
import { type Asking, askAndFollow, chosenDocuments, concluded } from '../ask-for-runs.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { plural } from '../format.ts'
import { whoAsks } from '../own-runs.ts'
import { outcomeText } from '../run-text.ts'

export function registerBackfill(program: Command): void {
  program
    .command('backfill')
    .description('Index the rows that are there, anew; changes of others go first')
    .argument('[document...]', 'names of installed documents')
    .option('--all', 'every installed document')
    .option(
      '--since <when>',
      'only rows changed since: an interval ("2 hours") or a timestamp; with --column',
    )
    .option('--column <name>', 'date or timestamp that tells when a row changed')
    .option('--tenant <value>', 'only rows of one tenant, whose column the definition names as "tenant"')
    .option('--where <condition>', 'only rows of the root table that match, with a document or without')
    .option('--no-wait', 'request it and return')
    .addHelpText(
      'after',
      examples(
        ['sluice backfill city', 'all documents of city, with a progress bar; Ctrl-C leaves it running'],
        ['sluice backfill --all --no-wait', 'request it for every document and return'],
        ['sluice backfill city --since "2 hours" --column updated_at', 'rows changed in the last two hours'],
        ['sluice backfill city --tenant 42', 'rows of tenant 42'],
        [
          'sluice backfill city --where "expires_at < now()"',
          'rows that lose their document as time passes, too',
        ],
      ),
    )
    .action(action(backfill))
}

interface BackfillFlags extends RunOptions {
  readonly all?: boolean
  readonly wait: boolean
}

async function backfill(
  context: CommandContext,
  named: readonly string[],
  { all = false, wait, ...options }: BackfillFlags,
): Promise<ExitCode> {
  const { output } = context
  const database = await context.database()
  const { pool, schema } = database
  const { documents, skipped } = await chosenDocuments(context, database, named, all)
  const asking: Asking<RequestedBackfill> = {
    kind: 'backfill',
    documents,
    options,
    wait,
    check: (document) => checkBackfill(pool, schema, { document, options }),
    request: async (document) => {
      const requested = await requestBackfill(pool, schema, { document, options, requestedBy: whoAsks() })
      for (const warning of requested.warnings) output.warn(`${document}: ${warning}`)
      if (!requested.existing) output.note(`${document}: ${requestedText(requested)}`)
      return requested
    },
  }
  const asked = await askAndFollow(context, database, asking)
  const runs = asked.map(({ run, existing, estimate }) => ({ ...runToJson(run), existing, estimate }))
  output.result(backfillJson, { runs }, () => asked.map(({ run }) => outcomeText(run)).join('\n'))
  const code = concluded(context, asking, asked)
  return skipped ? exitCodes.failed : code
}

/** `run 12, about 171,075 rows` */
function requestedText({ id, estimate }: RequestedBackfill): string {
  if (estimate === null) return `run ${id}`
  const { total, counted } = estimate
  return `run ${id}, ${counted === 'exact' ? '' : 'about '}${plural(total, 'row', 'rows')}`
}
