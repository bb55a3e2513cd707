import { parseArgs } from 'node:util'
import { describeError, UsageError } from '../../src/errors.ts'
import { backfill, nestedBackfill } from './backfill.ts'
import { backfillVsInteractive } from './backfill-vs-interactive.ts'
import { backlog } from './backlog.ts'
import { blockedIndex } from './blocked-index.ts'
import { bulkVsInteractive } from './bulk-vs-interactive.ts'
import { ceiling } from './ceiling.ts'
import type { Cell, CellOptions, Measurement } from './cell.ts'
import { dashboard } from './dashboard.ts'
import { drain, nestedDrain } from './drain.ts'
import { fanOut } from './fan-out.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { loadQuery } from './load-query.ts'
import { describeSetting } from './machine.ts'
import { memoryCell } from './memory.ts'
import { poison } from './poison.ts'
import { queueLimits } from './queue-limits.ts'
import { reindex } from './reindex.ts'
import { roundLine, summarise, summaryText } from './report.ts'
import { verify } from './verify.ts'
import { verifyMemory } from './verify-memory.ts'
import { openWorld } from './world.ts'
import { writeTax } from './write-tax.ts'

/**
 * `npm run bench -- <cell> [--json]`: one cell of the benchmarks on servers of its own. Exit code 0 when it was
 * measured, whatever came out (a cell of counts has to meet them); 1 when it could not be; 2 for a wrong command line.
 */

const cells: readonly Cell[] = [
  ceiling,
  backfill,
  drain,
  nestedBackfill,
  nestedDrain,
  loadQuery,
  latency,
  writeTax,
  bulkVsInteractive,
  backfillVsInteractive,
  fanOut,
  backlog,
  blockedIndex,
  queueLimits,
  memoryCell,
  idle,
  dashboard,
  poison,
  verify,
  verifyMemory,
  reindex,
]

const help = `Usage: npm run bench -- <cell> [options]

Measures one figure on a Postgres and an Elasticsearch of its own (fsync on), and prints each round, then the medians.
docs/performance.md says what each cell means, and what was measured.

Cells:
${cells.map(({ name, about }) => `  ${name.padEnd(20)} ${about}`).join('\n')}

Options:
  --rounds <n>    rounds; their median is the figure (default ${cells[0]?.defaults.rounds})
  --rows <n>      rows, keys or marks, as the cell has it
  --rate <n>      single-row changes a second (latency, bulk-vs-interactive, backfill-vs-interactive, blocked-index)
  --seconds <n>   how long a round takes (latency, blocked-index, idle, dashboard)
  --json          JSON lines on standard output; progress stays on standard error
  --help          this text

Defaults by cell:
${cells.map(({ name, defaults: d }) => `  ${name.padEnd(20)} --rounds ${d.rounds} --rows ${d.rows} --seconds ${d.seconds}`).join('\n')}
`

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${describeError(error)}\n`)
  return error instanceof UsageError ? 2 : 1
})

async function main(): Promise<number> {
  const { values, positionals } = parseCommandLine()
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const [name, ...more] = positionals
  const cell = cells.find((candidate) => candidate.name === name)
  if (cell === undefined || more.length > 0) {
    throw new UsageError(`name one cell: ${cells.map((one) => one.name).join(', ')}`, {
      where: name ?? 'bench',
    })
  }
  const options: CellOptions = {
    rounds: count('--rounds', values.rounds) ?? cell.defaults.rounds,
    rows: count('--rows', values.rows) ?? cell.defaults.rows,
    rate: count('--rate', values.rate) ?? cell.defaults.rate,
    seconds: count('--seconds', values.seconds) ?? cell.defaults.seconds,
  }
  return (await run(cell, options, values.json === true)) ? 0 : 1
}

/** False where a figure that is counted is not met. */
async function run(cell: Cell, options: CellOptions, json: boolean): Promise<boolean> {
  const measurements: Measurement[] = []
  const note = (text: string) => process.stderr.write(`# ${text}\n`)
  const world = await openWorld(cell.world)
  try {
    const setting = await describeSetting(world)
    for await (const measurement of cell.measure(world, options, note)) {
      measurements.push(measurement)
      const line = roundLine(cell, measurement)
      if (json) process.stdout.write(`${line}\n`)
      else note(line)
    }
    const { rounds, rows } = options
    const cases = summarise(cell, measurements)
    const summary = { cell: cell.name, summary: cases, rounds, rows, ...setting }
    process.stdout.write(json ? `${JSON.stringify(summary)}\n` : summaryText(summary))
    return cell.counted !== true || cases.every(({ met }) => met !== false)
  } finally {
    await world.close()
  }
}

function parseCommandLine() {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      allowPositionals: true,
      options: { rounds: text, rows: text, rate: text, seconds: text, json: flag, help: flag },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { remedy: 'See --help.' })
  }
}

function count(flag: string, value: string | undefined): number | null {
  if (value === undefined) return null
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value)
  throw new UsageError(`${JSON.stringify(value)} is no whole number from 1 on`, { where: flag })
}
