import type { Command } from 'commander'
import { demoJson } from '../../answers/json/demo.ts'
import { type DemoReport, demo } from '../../demo/demo.ts'
import { action, examples } from '../command.ts'
import { type CommandContext, postgresUrl } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { paint } from '../format.ts'
import type { Output } from '../output.ts'

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'See on your own servers what sluice does: with tables and an index of its own, removed at the end',
    )
    .option('--keep', 'leave them there for a look; the next demo removes them')
    .addHelpText(
      'after',
      `${examples(
        ['sluice demo', 'rows, a backfill, changes with their times, a dead letter, a verify'],
        ['sluice demo --keep', 'and say where to look afterwards'],
        ['sluice demo --json | jq .changes', 'the times alone'],
      )}

It takes the servers of DATABASE_URL and ELASTICSEARCH_URL and no configuration. What it makes is in the schemas
sluice_demo and sluice_demo_sync, whatever SLUICE_SCHEMA says, and in one index; nothing else is touched. It needs
a role that may create schemas. Ctrl-C ends it, and what it has made is removed.`,
    )
    .action(action(run))
}

async function run(
  context: CommandContext,
  { keep = false }: { readonly keep?: boolean },
): Promise<ExitCode> {
  const { output, interrupted } = context
  const settings = {
    ...(await context.base()),
    postgres: await postgresUrl(context.base()),
    elasticsearch: await context.readElasticsearch(),
  }
  const scene = {
    pool: await context.pool(),
    elasticsearch: await context.elasticsearch(),
    settings,
    signal: interrupted,
  }
  const report = await demo(scene, audience(output), { keep })
  const differs = report.verify.missing + report.verify.stale + report.verify.extra > 0
  const asExpected = !differs && report.rolledBack.unchanged
  output.result(demoJson, report, () => summary(report, asExpected))
  return asExpected ? exitCodes.done : exitCodes.differences
}

function audience(output: Output): Parameters<typeof demo>[1] {
  return {
    act: (title) => output.note(`\n${paint('bold', title, process.stderr)}`),
    say: (text) => output.note(`  ${text}`),
    show: (text) => output.note(`    ${paint('cyan', text, process.stderr)}`),
    warn: output.warn,
    progress: (label) => output.progress(`  ${label}`),
  }
}

function summary({ kept, index, tables, schema }: DemoReport, asExpected: boolean): string {
  const verdict = asExpected
    ? paint('green', 'Every row is in the index as it should be.')
    : paint('red', 'Not all is as it should be.')
  if (!kept) return `\n${verdict} All that was made is removed again; sluice demo --keep leaves it there.`
  return `
${verdict} It is all still there, though no daemon runs. To look, in psql and in a shell:

  SELECT * FROM ${tables}.book WHERE id = 42;
  SELECT * FROM ${schema}.sync_stats;
  curl "$ELASTICSEARCH_URL/${index}/_search?q=author.country:Japan&pretty"
  sluice status --schema ${schema}
  sluice inspect book 42 --schema ${schema}

The next sluice demo removes it, or:

  sluice uninstall --schema ${schema} --yes
  DROP SCHEMA ${tables} CASCADE;`
}
