import { type Command, InvalidArgumentError, Option } from 'commander'
import { installedDocument } from '../../answers/installed.ts'
import { failedListJson, failedShowJson } from '../../answers/json/failed.ts'
import { UsageError } from '../../errors.ts'
import {
  type FailedDocument,
  type FailureFilter,
  type FailureGroup,
  readFailureGroups,
  readFailures,
} from '../../queue/read-failures.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { count, paint } from '../format.ts'
import { table } from '../table.ts'
import { registerDiscard, registerRetry } from './failed-change.ts'

export function registerFailed(program: Command): void {
  const failed = program
    .command('failed')
    .description('Documents that could not be indexed: list, show, retry or discard them')
    .addHelpText(
      'after',
      examples(
        ['sluice failed', 'what fails, and why'],
        ['sluice failed list city --state dead', 'dead letters of city'],
        ['sluice failed show city 42', 'why city 42 is not in the index'],
        ['sluice failed retry city', 'try them again, once the reason is put right'],
        ['sluice failed discard city --type unindexable_value', 'forget those that are to stay out'],
      ),
    )
  failed
    .command('list', { isDefault: true })
    .description('What fails, by reason, and the latest failures')
    .argument('[document]', 'of one document')
    .option('--type <type>', 'of one type, as the list shows it')
    .addOption(new Option('--state <state>', 'in one state').choices(['retrying', 'dead']))
    .option('--limit <count>', 'at most so many failures; reasons are always complete', limit, 20)
    .addHelpText(
      'after',
      examples(
        ['sluice failed list', 'all documents'],
        ['sluice failed list city --state dead --limit 100', 'up to a hundred dead letters of city'],
        ["sluice failed list --json | jq '.groups[] | {document, type, dead}'", 'for a program'],
      ),
    )
    .action(action(list))
  failed
    .command('show')
    .description('One failed document, with the reason in full')
    .argument('<document>', 'name of an installed document')
    .argument('<id>', 'its _id, as the list shows it')
    .addHelpText('after', examples(['sluice failed show city 42', 'why city 42 is not in the index']))
    .action(action(show))
  registerRetry(failed)
  registerDiscard(failed)
}

interface ListOptions extends Pick<FailureFilter, 'type' | 'state'> {
  readonly limit: number
}

async function list(
  context: CommandContext,
  document: string | undefined,
  { limit: most, ...options }: ListOptions,
): Promise<ExitCode> {
  const database = await context.database()
  const { pool, schema } = database
  if (document !== undefined) await installedDocument(database, document)
  const filter = document === undefined ? options : { ...options, document }
  const groups = await readFailureGroups(pool, schema, filter)
  const failures = await readFailures(pool, schema, filter, most)
  context.output.result(failedListJson, { groups: [...groups], failures: [...failures] }, () =>
    listText(groups, failures),
  )
  return exitCodes.done
}

async function show(context: CommandContext, document: string, id: string): Promise<ExitCode> {
  const database = await context.database()
  await installedDocument(database, document)
  const failures = await readFailures(database.pool, database.schema, { document, ids: [id] }, null)
  if (failures.length === 0) {
    throw new UsageError(`${document} ${id} has not failed`, {
      remedy: `sluice inspect ${document} ${id} shows its row, its marks and its indexed copy.`,
    })
  }
  context.output.result(failedShowJson, { failures: [...failures] }, () =>
    [
      ...failures.map(failureText),
      `sluice inspect ${document} ${id} shows its row and its indexed copy.`,
    ].join('\n\n'),
  )
  return exitCodes.done
}

function listText(groups: readonly FailureGroup[], failures: readonly FailedDocument[]): string {
  if (groups.length === 0) return 'nothing has failed'
  const reasons = table(
    [
      { head: 'document' },
      { head: 'dead', align: 'right' },
      { head: 'retrying', align: 'right' },
      { head: 'since' },
      { head: 'type' },
      { head: 'reason' },
    ],
    groups.map(({ document, dead, retrying, firstFailedAt, type, reason }) => [
      document,
      count(dead),
      count(retrying),
      time(firstFailedAt),
      type,
      cut(reason),
    ]),
  )
  const latest = table(
    [
      { head: 'document' },
      { head: 'id' },
      { head: 'state' },
      { head: 'attempts', align: 'right' },
      { head: 'last' },
      { head: 'next' },
      { head: 'type' },
    ],
    failures.map(({ document, id, state, attempts, lastFailedAt, dueAt, type }) => [
      document,
      cut(id),
      state,
      count(attempts),
      time(lastFailedAt),
      dueAt === null ? '' : time(dueAt),
      type,
    ]),
  )
  return `${reasons}\n\n${latest}`
}

function failureText(failure: FailedDocument): string {
  const { document, id, key, target, state, attempts, dueAt, type, reason } = failure
  const lines: readonly (readonly [string, string])[] = [
    ['index', target === '' ? 'none: it could not be read or encoded' : target],
    ['state', dueAt === null ? state : `${state}, next at ${time(dueAt)}`],
    ['attempts', count(attempts)],
    ['failed', `first ${time(failure.firstFailedAt)}, last ${time(failure.lastFailedAt)}`],
    ['version', failure.version],
    ...(key === id ? [] : [['key', key] as const]),
    ['type', type],
    ['reason', reason],
  ]
  return [
    paint('bold', `${document} ${id}`),
    ...lines.map(([name, value]) => `  ${name.padEnd(8)}  ${value}`),
  ].join('\n')
}

/** To the second; a date alone would not tell the attempts of one morning apart. */
function time(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`
}

const shownLength = 100

/** First line of a text, cut where it is long: `show` has the rest. */
function cut(text: string): string {
  const [line = ''] = text.split('\n')
  return line.length > shownLength ? `${line.slice(0, shownLength - 1)}…` : line
}

function limit(text: string): number {
  if (!/^(0|[1-9]\d{0,5})$/.test(text)) throw new InvalidArgumentError('A number up to 999999 is needed.')
  return Number(text)
}
