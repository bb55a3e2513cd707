import { type Command, InvalidArgumentError } from 'commander'
import { cleanupRecords } from '../../queue/cleanup-records.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { count } from '../format.ts'
import { cleanupJson } from '../json/cleanup.ts'

export function registerCleanup(program: Command): void {
  program
    .command('cleanup')
    .description('Remove what is old: log, statistics, finished runs, daemons that are gone')
    .option('--days <days>', 'older than this (default: SYNC_LOG_RETENTION_DAYS)', days)
    .addHelpText(
      'after',
      `${examples(
        ['sluice cleanup', 'what a daemon does once a day'],
        ['sluice cleanup --days 1', 'keep yesterday and today'],
      )}

Statistics are kept for eight days at least, for status shows a week; of the runs of each kind, the last one stays.`,
    )
    .action(action(cleanup))
}

async function cleanup(context: CommandContext, options: { days?: number }): Promise<ExitCode> {
  const { pool, schema } = await context.database()
  const keep = options.days ?? (await context.base()).limits.syncLogRetentionDays
  const removed = await cleanupRecords(pool, schema, keep)
  context.output.result(cleanupJson, { days: keep, removed: [...removed] }, () => {
    const some = removed.filter((entry) => entry.removed > 0)
    return some.length === 0
      ? 'Nothing is old enough.'
      : `Removed: ${some.map((entry) => `${count(entry.removed)} of ${entry.records}`).join(', ')}.`
  })
  return exitCodes.done
}

function days(text: string): number {
  if (!/^(0|[1-9]\d{0,3})$/.test(text)) throw new InvalidArgumentError('A number of days is needed.')
  return Number(text)
}
