import { parseArgs } from 'node:util'
import { describeError, UsageError } from '../../src/errors.ts'
import { createMutant } from '../support/mutant.ts'
import { type SimulationMutant, simulationMutants } from './mutants.ts'
import { loadPipeline, type Pipeline } from './pipeline.ts'
import { type Breakage, type RunResult, runSeed, UNBROKEN } from './run.ts'

/**
 * `npm run simulate`: the real pipeline over a Postgres and an Elasticsearch in memory, a run a seed. Exit code 0 when every
 * seed ends with indices that are what the rows are; 1 if not; 2 for a wrong command line.
 */

const help = `Usage: npm run simulate -- [options]

Runs the real workers and batches over a Postgres and an Elasticsearch in memory. The seed decides what the application
does, who goes on at each step, and which faults there are. In the end everything heals, the queue drains, and each index
has to be exactly what the rows are. No servers, one process. docs/reliability.md says what this leaves out.

Options:
  --seeds <n>      so many seeds, from 1 on (default 10000)
  --from <n>       the first of them (default 1)
  --seed <n>       this one alone, with its whole trace: seconds are simulated ones
  --mutant <name>  a program that is broken on purpose; 'all': each of them, up to the seed that notices it
  --json           a line of JSON instead of text
  --help           this text

A seed that fails is said with the command that shows it again, and the exit code is 1. With a mutant: 1 when it was
noticed, as a broken program has to be; with 'all': 0 when all were, each within its number of seeds.

Mutants:
${Object.entries(simulationMutants)
  .map(
    ([name, { breaks, within }]) => `  ${name.padEnd(30)} breaks ${breaks}; noticed within ${within} seeds`,
  )
  .join('\n')}

Examples:
  npm run simulate                                     10,000 seeds
  npm run simulate -- --seed 7                         what happens in the seventh
  npm run simulate -- --mutant version-before-claim    the first seed that notices it
`

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

async function main(): Promise<number> {
  const { seeds, seed, from, mutant, json, help: wanted } = parseCommandLine()
  if (wanted === true) {
    process.stdout.write(help)
    return 0
  }
  const range = { from: wholeNumber('from', from ?? '1'), count: wholeNumber('seeds', seeds ?? '10000') }
  const one = seed === undefined ? null : wholeNumber('seed', seed)
  if (mutant === 'all') return tryMutants(json === true)
  const broken = mutant === undefined ? null : mutantOf(mutant)
  return withProgram(broken, async (pipeline, breakage) => {
    if (one !== null) return show(pipeline, breakage, one)
    const begun = performance.now()
    const found = await runSeeds(pipeline, breakage, range)
    const seconds = Math.round((performance.now() - begun) / 100) / 10
    process.stdout.write(
      json === true
        ? `${JSON.stringify({ mutant: mutant ?? null, ...found, seen: Object.fromEntries(found.seen), seconds })}\n`
        : text(found, seconds, mutant),
    )
    return found.failed === null ? 0 : 1
  })
}

function parseCommandLine() {
  const string = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      options: { seeds: string, from: string, seed: string, mutant: string, json: flag, help: flag },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { remedy: 'See --help.' })
  }
}

function wholeNumber(name: string, value: string): number {
  const number = Number(value)
  if (/^\d{1,9}$/.test(value) && number > 0) return number
  throw new UsageError(`${value} is no whole number above 0`, { where: `--${name}` })
}

function mutantOf(name: string): SimulationMutant {
  const mutants: Readonly<Record<string, SimulationMutant>> = simulationMutants
  const mutant = Object.hasOwn(mutants, name) ? mutants[name] : undefined
  if (mutant !== undefined) return mutant
  throw new UsageError(`there is no mutant "${name}"`, {
    remedy: `There are: ${Object.keys(mutants).join(', ')}.`,
  })
}

/** With the program as it is, or a broken copy of it. */
async function withProgram<T>(
  mutant: SimulationMutant | null,
  use: (pipeline: Pipeline, breakage: Breakage) => Promise<T>,
): Promise<T> {
  if (mutant === null || mutant.source.length === 0) {
    return use(await loadPipeline(), { ...UNBROKEN, ...mutant?.below })
  }
  const copy = await createMutant(mutant.source)
  try {
    return await use(await loadPipeline(copy.root), { ...UNBROKEN, ...mutant.below })
  } finally {
    await copy.remove()
  }
}

/** Each mutant, up to the seed that notices it. */
async function tryMutants(json: boolean): Promise<number> {
  let unnoticed = 0
  for (const [name, mutant] of Object.entries<SimulationMutant>(simulationMutants)) {
    const { failed, runs } = await withProgram(mutant, (pipeline, breakage) =>
      runSeeds(pipeline, breakage, { from: 1, count: mutant.within }),
    )
    if (failed === null) unnoticed += 1
    const { breaks, within } = mutant
    const said =
      failed === null
        ? `✘ ${name}: NOT NOTICED in ${runs} seeds`
        : `✔ ${name} (breaks ${breaks}): noticed by seed ${failed.seed}: ${failed.wrong[0]}`
    process.stdout.write(
      `${json ? JSON.stringify({ mutant: name, breaks, within, seed: failed?.seed ?? null, wrong: failed?.wrong ?? [] }) : said}\n`,
    )
  }
  return unnoticed === 0 ? 0 : 1
}

interface Found {
  /** The first seed that failed; none was run after it. */
  readonly failed: Pick<RunResult, 'seed' | 'wrong'> | null
  readonly runs: number
  readonly steps: number
  readonly simulatedHours: number
  readonly seen: ReadonlyMap<string, number>
}

async function runSeeds(
  pipeline: Pipeline,
  broken: Breakage,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<Found> {
  const seen = new Map<string, number>()
  let steps = 0
  let seconds = 0
  let runs = 0
  for (let seed = from; seed < from + count; seed++) {
    const result = await runSeed(pipeline, seed, { broken })
    runs += 1
    steps += result.steps
    seconds += result.seconds
    for (const [what, times] of result.seen) seen.set(what, (seen.get(what) ?? 0) + times)
    if (result.wrong.length > 0) {
      const { wrong } = result
      return { failed: { seed, wrong }, runs, steps, simulatedHours: hours(seconds), seen }
    }
  }
  return { failed: null, runs, steps, simulatedHours: hours(seconds), seen }
}

function hours(seconds: number): number {
  return Math.round(seconds / 360) / 10
}

async function show(pipeline: Pipeline, broken: Breakage, seed: number): Promise<number> {
  const trace = (line: string) => process.stdout.write(`${line}\n`)
  const { wrong, steps, seconds } = await runSeed(pipeline, seed, { broken, trace })
  const end = wrong.length === 0 ? '✔ nothing lost' : `✘ ${wrong.join('\n  ')}`
  process.stdout.write(`${end}\n  seed ${seed}: ${steps} steps, ${Math.round(seconds)} simulated seconds\n`)
  return wrong.length === 0 ? 0 : 1
}

function text(
  { failed, runs, steps, simulatedHours, seen }: Found,
  seconds: number,
  mutant?: string,
): string {
  const again = `npm run simulate -- --seed ${failed?.seed}${mutant === undefined ? '' : ` --mutant ${mutant}`}`
  const head =
    failed === null
      ? `✔ ${runs.toLocaleString('en')} seeds: every index is what its rows are, nothing is left`
      : `✘ seed ${failed.seed}: ${failed.wrong.join('\n  ')}\n  Again, with its trace: ${again}`
  const happened = [...seen]
    .sort(([, a], [, b]) => b - a)
    .map(([what, times]) => `${times.toLocaleString('en').padStart(11)}  ${what}`)
  const size = `${steps.toLocaleString('en')} steps, ${simulatedHours.toLocaleString('en')} simulated hours, ${seconds} s`
  return `${head}\n  ${size}\n${happened.join('\n')}\n`
}
