import type { Command } from 'commander'
import { installedDocument } from '../../answers/installed.ts'
import { failedChangeJson } from '../../answers/json/failed.ts'
import { UsageError } from '../../errors.ts'
import { discardFailed, type FailureChoice, retryFailed } from '../../queue/change-failures.ts'
import { keysOfFailures } from '../../queue/choose-failures.ts'
import { readFailureGroups } from '../../queue/read-failures.ts'
import { action, examples } from '../command.ts'
import { confirm } from '../confirm.ts'
import type { CommandContext, Database } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { plural } from '../format.ts'

interface Options {
  readonly type?: string
  readonly id?: readonly string[]
  readonly all?: true
  readonly yes?: true
}

export function registerRetry(failed: Command): void {
  choosing(failed.command('retry'))
    .description('Mark failed documents again, dead ones too, with fresh attempts')
    .addHelpText(
      'after',
      examples(
        ['sluice failed retry city', 'all of city'],
        ['sluice failed retry city --id 42 43', 'two of them'],
        ['sluice failed retry --all --type document_parsing_exception', 'of one type, whatever document'],
      ),
    )
    .action(action(retry))
}

export function registerDiscard(failed: Command): void {
  choosing(failed.command('discard'))
    .description('Forget dead letters: the index keeps what it has of them')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `${examples(
        ['sluice failed discard city --id 42', 'ask, and forget one'],
        ['sluice failed discard city --type unindexable_value --yes', 'those of one type, without asking'],
        ['sluice failed discard --all --yes', 'every dead letter there is'],
      )}

A document whose failure is forgotten stays as it is in the index: an older copy, or none, until its row
changes again or sluice enqueue marks it. Documents that are still being retried are not forgotten.`,
    )
    .action(action(discard))
}

function choosing(command: Command): Command {
  return command
    .argument('[document]', 'of one document')
    .option('--type <type>', 'of one type, as failed list shows it')
    .option('--id <id...>', 'only these, by _id')
    .option('--all', 'of all documents')
}

async function retry(
  context: CommandContext,
  document: string | undefined,
  options: Options,
): Promise<ExitCode> {
  const database = await context.database()
  const choice = await choose(database, document, options)
  const marked = await retryFailed(database.pool, database.schema, choice)
  report(context, choice, marked, () =>
    marked === 0 ? 'No failure is like that.' : `Marked ${documents(marked)} again.`,
  )
  return exitCodes.done
}

async function discard(
  context: CommandContext,
  document: string | undefined,
  options: Options,
): Promise<ExitCode> {
  const database = await context.database()
  const choice = await choose(database, document, options)
  if (options.yes !== true && !(await agreed(context, database, choice, options.id))) {
    report(context, choice, 0, () => 'Nothing was changed.')
    return exitCodes.failed
  }
  const forgotten = await discardFailed(database.pool, database.schema, choice)
  report(context, choice, forgotten, () =>
    forgotten === 0
      ? 'No dead letter is like that.'
      : `Forgot ${documents(forgotten)}; the index keeps what it has of them.`,
  )
  return exitCodes.done
}

/** Which failures are meant. All of them have to be asked for by name: a forgotten argument must not mean everything. */
async function choose(
  database: Database,
  document: string | undefined,
  { type, id: ids, all }: Options,
): Promise<FailureChoice> {
  if (all === true && (document !== undefined || ids !== undefined)) {
    throw new UsageError('--all is of all documents: name neither a document nor an id with it')
  }
  if (document === undefined) {
    if (all !== true) throw new UsageError('which ones?', { remedy: 'Name a document, or say --all.' })
    return { document: null, keys: null, type: type ?? null }
  }
  await installedDocument(database, document)
  return {
    document,
    keys: ids === undefined ? null : await keysOfFailures(database.pool, database.schema, document, ids),
    type: type ?? null,
  }
}

async function agreed(
  { output }: CommandContext,
  { pool, schema }: Database,
  { document, type }: FailureChoice,
  ids: readonly string[] | undefined,
): Promise<boolean> {
  if (ids !== undefined) return confirm(`Forget ${document} ${ids.join(', ')}?`, output)
  const filter = { ...(document === null ? {} : { document }), ...(type === null ? {} : { type }) }
  const groups = await readFailureGroups(pool, schema, { ...filter, state: 'dead' })
  const dead = groups.reduce((sum, group) => sum + group.dead, 0)
  return confirm(
    `Forget ${plural(dead, 'dead letter', 'dead letters')} of ${document ?? 'all documents'}?`,
    output,
  )
}

function report(
  { output }: CommandContext,
  { document, type }: FailureChoice,
  changed: number,
  human: () => string,
): void {
  output.result(failedChangeJson, { document, type, count: changed }, human)
}

function documents(n: number): string {
  return plural(n, 'document', 'documents')
}
