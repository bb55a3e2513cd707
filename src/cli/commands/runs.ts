import { type Command, InvalidArgumentError } from 'commander'
import { runsJson } from '../../answers/json/run.ts'
import { runToJson } from '../../answers/run-to-json.ts'
import { UsageError } from '../../errors.ts'
import { cancelByOperator } from '../../runs/cancel.ts'
import { type RunFilter, readRun, readRuns, readWaits } from '../../runs/read-runs.ts'
import { isFinished } from '../../runs/run-row.ts'
import type { Run } from '../../runs/types.ts'
import { action, examples } from '../command.ts'
import type { CommandContext, Database } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { exitCodeOfRun, follow, waitText } from '../follow.ts'
import { outcomeText, runsTable, runText, stillRunning } from '../run-text.ts'

export function registerRuns(program: Command): void {
  const runs = program
    .command('runs')
    .description('List, show, watch or cancel long runs')
    .addHelpText(
      'after',
      examples(
        ['sluice runs', 'the latest runs, newest first'],
        ['sluice runs list --active', 'those under way'],
        ['sluice runs show 12', 'all about run 12: what was asked for, by whom, what came of it'],
        ['sluice runs watch 12', 'follow run 12 to its end; Ctrl-C only stops watching'],
        ['sluice runs cancel 12', 'stop run 12; what it has done stays'],
      ),
    )
  runs
    .command('list', { isDefault: true })
    .description('The latest runs, newest first')
    .option('--document <name>', 'of one document')
    .option('--active', 'only those under way')
    .option('--limit <count>', 'at most so many', positive, 20)
    .action(action(list))
  runs
    .command('show')
    .description('All about one run')
    .argument('<run>', 'number of a run', runId)
    .action(action(show))
  runs
    .command('watch')
    .description('Follow a run to its end; exit code 1 unless it is done')
    .argument('<run>', 'number of a run', runId)
    .action(action(watch))
  runs
    .command('cancel')
    .description('Stop a run; what it has done stays')
    .argument('<run>', 'number of a run', runId)
    .action(action(cancel))
}

async function list(context: CommandContext, filter: RunFilter): Promise<ExitCode> {
  const { pool, schema } = await context.database()
  const runs = await readRuns(pool, schema, filter)
  const waits = await readWaits(pool, schema)
  const json = runs.map((run) => runToJson(run, waits.get(run.id)))
  context.output.result(runsJson, { runs: json }, () => runsTable(runs, waits))
  return exitCodes.done
}

async function show(context: CommandContext, id: string): Promise<ExitCode> {
  const database = await context.database()
  const run = await existing(database, id)
  const waitsFor = (await readWaits(database.pool, database.schema)).get(id)
  context.output.result(runsJson, { runs: [runToJson(run, waitsFor)] }, () => runText(run, waitsFor))
  return exitCodes.done
}

async function watch(context: CommandContext, id: string): Promise<ExitCode> {
  const database = await context.database()
  const waitsFor = async () => (await readWaits(database.pool, database.schema)).get(id)
  const begun = await existing(database, id)
  const first = await waitsFor()
  if (first !== undefined) context.output.note(waitText(begun, first))
  const run = await follow(context, database, begun)
  const last = await waitsFor()
  context.output.result(runsJson, { runs: [runToJson(run, last)] }, () => outcomeText(run))
  if (!isFinished(run)) context.output.note(stillRunning([run]))
  return exitCodeOfRun(run)
}

async function cancel(context: CommandContext, id: string): Promise<ExitCode> {
  const database = await context.database()
  const before = await existing(database, id)
  const run = await cancelByOperator(database.pool, database.schema, before)
  context.output.result(runsJson, { runs: [runToJson(run)] }, () =>
    run.state === 'cancelling'
      ? `run ${id} is being cancelled; ${run.worker} stops it`
      : `run ${id} is ${run.state}`,
  )
  if (run.reason !== null) {
    context.output.warn(`sluice asked for it (${run.reason}); what it was to put right may stay wrong`)
  }
  return exitCodes.done
}

async function existing({ pool, schema }: Database, id: string): Promise<Run> {
  const run = await readRun(pool, schema, id)
  if (run === null) throw new UsageError(`there is no run ${id}`, { remedy: 'sluice runs lists them.' })
  return run
}

/** bigint: more digits are no run of any database. */
function runId(text: string): string {
  if (!/^[1-9]\d{0,17}$/.test(text)) throw new InvalidArgumentError('It is a number; sluice runs lists them.')
  return text
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('A number from 1 to 999999 is needed.')
  return Number(text)
}
