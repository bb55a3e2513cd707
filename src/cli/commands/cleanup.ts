import { type Command, InvalidArgumentError } from 'commander'
import { pino } from 'pino'
import { cleanupJson } from '../../answers/json/cleanup.ts'
import { cleanupRecords } from '../../queue/cleanup-records.ts'
import { dropRetired } from '../../sync/retired-indices.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { count } from '../format.ts'

export function registerCleanup(program: Command): void {
  program
    .command('cleanup')
    .description(
      'Remove what is old: log, statistics, finished runs, daemons that are gone, replaced indices',
    )
    .option('--days <days>', 'older than this (default: SYNC_LOG_RETENTION_DAYS)', days)
    .addHelpText(
      'after',
      `${examples(
        ['sluice cleanup', 'what a daemon does once a day'],
        ['sluice cleanup --days 1', 'keep yesterday and today'],
      )}

Statistics are kept for eight days at least, for status shows a week; of the runs of each kind, the last one stays.
Indices that a reindex has replaced go when their time is over, whatever --days says; for these it needs Elasticsearch.`,
    )
    .action(action(cleanup))
}

async function cleanup(context: CommandContext, options: { days?: number }): Promise<ExitCode> {
  const { pool, schema } = await context.database()
  const { limits, elasticsearch } = await context.base()
  const keep = options.days ?? limits.syncLogRetentionDays
  const records = await cleanupRecords(pool, schema, keep)
  const dropped = elasticsearch === null ? [] : await dropIndices(context)
  const removed = [...records, { records: 'indices', removed: dropped.length }]
  context.output.result(cleanupJson, { days: keep, removed: [...removed] }, () => {
    const some = removed.filter((entry) => entry.removed > 0)
    return some.length === 0
      ? 'Nothing is old enough.'
      : `Removed: ${some.map((entry) => `${count(entry.removed)} of ${entry.records}`).join(', ')}.`
  })
  return exitCodes.done
}

/** Without a daemon nobody else does it. */
async function dropIndices(context: CommandContext): Promise<readonly string[]> {
  const { pool, schema } = await context.database()
  const elasticsearch = await context.elasticsearch()
  const log = pino({ level: 'silent' })
  return dropRetired({ pool, schema, elasticsearch, log }, { timeoutMs: 120_000 })
}

function days(text: string): number {
  if (!/^(0|[1-9]\d{0,3})$/.test(text)) throw new InvalidArgumentError('A number of days is needed.')
  return Number(text)
}
