import { readFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { checkJson } from '../../answers/json/check.ts'
import { checkMigration } from '../../capture/check-migration.ts'
import { type Finding, reindexFinding } from '../../capture/findings.ts'
import { readMigration } from '../../capture/migration-file.ts'
import { planInstall } from '../../capture/plan-install.ts'
import type { Step } from '../../capture/steps.ts'
import type { Touch } from '../../capture/touched.ts'
import { type Problem, refuse } from '../../config/problems.ts'
import { UsageError } from '../../errors.ts'
import { schedulesPart } from '../../runs/install-schedules.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { paint, plural } from '../format.ts'
import { stepsText } from '../steps.ts'

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description("Hold the configuration against the database, and the application's migrations against both")
    .option('--migration <file...>', 'SQL of the application: run, looked at, and taken back')
    .addHelpText(
      'after',
      `${examples(
        ['sluice check', 'is everything as the configuration has it? Exit code 3 when not'],
        ['sluice check --migration db/42.sql', 'what would this migration break?'],
        ['sluice check --migration db/*.sql --json', 'several, in this order, for a program'],
      )}

It needs Postgres alone; where an Elasticsearch is named, the indices are looked at, too (not with --migration).
Migrations run in a transaction that is always rolled back. It holds their locks meanwhile: use a copy of the
database, or that of the continuous integration, with our schema in it (sluice migrate).
Exit codes: 0 nothing to say, 3 findings, 2 the configuration is wrong or a file cannot be checked.`,
    )
    .action(action(check))
}

/** What is said, with or without migrations. */
interface Report {
  readonly findings: readonly Finding[]
  readonly steps: readonly Step[]
  readonly marks: readonly {
    readonly document: string
    readonly keys: number
    readonly everything: boolean
  }[]
  readonly touches: readonly Touch[]
  readonly notes: readonly string[]
}

async function check(context: CommandContext, options: { migration?: readonly string[] }): Promise<ExitCode> {
  const report =
    options.migration === undefined
      ? await checkConfiguration(context)
      : await checkMigrations(context, options.migration)
  const { findings, steps, marks, touches, notes } = report
  const { output } = context
  for (const note of notes) output.warn(note)
  output.result(
    checkJson,
    {
      findings: findings.map((finding) => ({ ...finding, fields: [...finding.fields] })),
      steps: [...steps],
      marks: [...marks],
      touches: touches.map((touch) => ({ ...touch, triggers: [...touch.triggers] })),
      notes: [...notes],
    },
    () => reportText(report, options.migration !== undefined),
  )
  return findings.length + steps.length === 0 ? exitCodes.done : exitCodes.differences
}

async function checkConfiguration(context: CommandContext): Promise<Report> {
  const { schema, elasticsearch, file } = await context.base()
  const definitions = await context.definitions()
  const schedules = await context.schedules()
  const pool = await context.pool()
  const problems: Problem[] = []
  const client = await pool.connect()
  try {
    const { steps, notes, removed, reindexes } = await planInstall(client, {
      schema,
      definitions,
      elasticsearch: elasticsearch === null ? null : await context.elasticsearch(),
      backfill: true,
      also: schedulesPart(pool, schema, schedules),
      onRefused: (document, { message, where, remedy }) =>
        problems.push({
          where: where ?? `documents.${document}`,
          what: where === undefined ? message : message.slice(where.length + 2),
          ...(remedy === undefined ? {} : { remedy }),
        }),
    })
    refuse(problems, file)
    if (elasticsearch === null)
      context.output.note('No Elasticsearch is named: the indices are not looked at.')
    return {
      findings: [...removed.map(notConfigured), ...reindexes.map(reindexFinding)],
      steps,
      marks: [],
      touches: [],
      notes,
    }
  } finally {
    client.release()
  }
}

function notConfigured(document: string): Finding {
  return {
    effect: 'changes',
    kind: 'configuration',
    document,
    fields: [],
    where: null,
    what: `${document} is installed and not in the configuration: its marks gather`,
    remedy: `sluice uninstall ${document} removes it.`,
  }
}

async function checkMigrations(context: CommandContext, names: readonly string[]): Promise<Report> {
  const files = await Promise.all(names.map(async (name) => readMigration(name, await textOf(name))))
  const definitions = await context.definitions()
  const { pool, schema } = await context.database()
  return checkMigration(pool, { schema, definitions, files })
}

async function textOf(name: string): Promise<string> {
  try {
    return await readFile(name, 'utf8')
  } catch (error) {
    throw new UsageError(`cannot be read: ${error instanceof Error ? error.message : error}`, {
      where: relative(process.cwd(), resolve(name)),
      cause: error,
    })
  }
}

function reportText({ findings, steps, marks, touches }: Report, migration: boolean): string {
  const parts = [
    ...findings.map(findingText),
    ...(steps.length === 0
      ? []
      : [
          `${migration ? 'After it, sluice install has to' : 'sluice install would'}:\n${stepsText(steps, process.stdout)}`,
        ]),
    ...(touches.length === 0 ? [] : [['It touches', ...touches.map(touchText)].join('\n')]),
    ...(marks.length === 0 ? [] : [`It marks ${marks.map(marksText).join(', ')}.`]),
  ]
  if (findings.length + steps.length === 0) {
    parts.unshift(
      !migration
        ? 'Everything is as the configuration has it.'
        : touches.length === 0
          ? 'The migration is no matter for sluice.'
          : 'It breaks nothing, and sluice has nothing to do after it.',
    )
  }
  return parts.join('\n\n')
}

function findingText({ effect, document, fields, where, what, remedy }: Finding): string {
  const subject =
    document === null ? [] : [`${document}${fields.length > 0 ? ` (${fields.join(', ')})` : ''}`]
  const head = [paint(effect === 'breaks' ? 'red' : 'yellow', effect), ...subject, ...(where ? [where] : [])]
  return [head.join('  '), `  ${what}`, ...(remedy === null ? [] : [`  → ${remedy}`])].join('\n')
}

function touchText({ document, table, lock, triggers }: Touch): string {
  const own = triggers.length === 0 ? '' : `, with triggers ${triggers.join(', ')}`
  return `  ${table} (${lock}), which ${document} is made of${own}`
}

function marksText({ document, keys, everything }: Report['marks'][number]): string {
  return everything ? `all of ${document}` : `${plural(keys, 'key', 'keys')} of ${document}`
}
