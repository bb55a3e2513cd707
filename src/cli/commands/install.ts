import type { Command } from 'commander'
import { installJson } from '../../answers/json/install.ts'
import { type InstallResult, install } from '../../capture/install.ts'
import type { InstallPlan } from '../../capture/plan-install.ts'
import { schedulesPart } from '../../runs/install-schedules.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { stepsText } from '../steps.ts'

interface Options {
  readonly dryRun?: true
  readonly backfill: boolean
}

export function registerInstall(program: Command): void {
  program
    .command('install')
    .description('Put the configuration into effect: schema, triggers, indices; only what differs')
    .option('--dry-run', 'print what would be done, and change nothing')
    .option('--no-backfill', 'request no run that indexes existing rows')
    .addHelpText(
      'after',
      examples(
        ['sluice install', 'print the plan, carry it out, and request a backfill for new documents'],
        ['sluice install --dry-run', 'print the plan'],
        ['sluice install --no-backfill', 'index changes from now on; existing rows wait for sluice backfill'],
      ) +
        '\n\nOf a document whose index cannot become what is wanted, nothing is changed: it takes sluice reindex (exit code 3).',
    )
    .action(action(runInstall))
}

async function runInstall(context: CommandContext, options: Options): Promise<ExitCode> {
  const { output } = context
  const { postgres: url, schema, documents: definitions, file } = await context.settings()
  const dryRun = options.dryRun ?? false
  const pool = await context.pool()
  const result = await install({
    pool,
    also: schedulesPart(pool, schema, await context.schedules()),
    url,
    schema,
    definitions,
    elasticsearch: await context.elasticsearch(),
    backfill: options.backfill,
    dryRun,
    onPlan: ({ steps, notes }) => {
      for (const note of notes) output.warn(note)
      if (!dryRun && steps.length > 0) output.note(stepsText(steps, process.stderr))
    },
    onWait: output.note,
  })
  const { plan, runs } = result
  output.result(
    installJson,
    {
      dryRun,
      steps: [...plan.steps],
      runs: [...runs],
      notes: [...plan.notes],
      reindexes: [...plan.reindexes],
    },
    () => [...summary(result, dryRun, file), ...plan.reindexes.map(reindexText)].join('\n'),
  )
  return plan.reindexes.length === 0 ? exitCodes.done : exitCodes.differences
}

function reindexText({ document, why }: InstallPlan['reindexes'][number]): string {
  return `${document} needs a reindex, and is as it was: ${why}.\n  → sluice reindex ${document} installs the new definition and builds the new index while searches go on.`
}

function summary({ plan, runs }: InstallResult, dryRun: boolean, file: string): readonly string[] {
  if (plan.steps.length === 0) {
    const all = plan.reindexes.length === 0 ? 'everything' : 'everything else'
    return [`Nothing to do: ${all} is as ${file} wants it.`]
  }
  if (dryRun) return [stepsText(plan.steps, process.stdout)]
  const documents = plan.changes.map(({ plan: { document } }) => document)
  const done =
    documents.length > 0
      ? `Installed: ${documents.join(', ')}.`
      : plan.migrate
        ? 'Migrated.'
        : 'Installed: the schedules.'
  const requested = runs.map(({ document, kind, id, follows }) =>
    follows
      ? `Requested: ${kind} of ${document}, after run ${id}.`
      : `Requested: ${kind} of ${document} (run ${id}).`,
  )
  return [done, ...requested, ...(runs.length > 0 ? ['sluice run carries it out.'] : [])]
}
