import { parseArgs } from 'node:util'
import { describeError, UsageError } from '../../src/errors.ts'
import { type Exploration, explore } from './explore.ts'
import { type Bounds, scenarios, shipped } from './orders.ts'
import { wrongOrders } from './wrong-orders.ts'

/**
 * `npm run model`: the shipped order in each scenario, which must lose nothing, and each wrong order, which must. Exit code 0
 * if so; 1 if not; 2 for a wrong command line.
 */

/** One line of the output. */
interface Trial {
  readonly name: string
  readonly about: string
  /** Null for the shipped order. */
  readonly breaks: string | null
  readonly bounds: Bounds
  readonly run: (bounds: Bounds) => Exploration
  /** What makes it as it has to be. */
  readonly holds: (found: Exploration) => boolean
}

const trials: readonly Trial[] = [
  ...Object.entries(scenarios).map(
    ([name, { about, bounds }]): Trial => ({
      name,
      about,
      breaks: null,
      bounds,
      run: (given) => explore(shipped, given),
      holds: ({ wrong }) => wrong === null,
    }),
  ),
  ...Object.entries(wrongOrders).map(
    ([name, { order, breaks, bounds, fault }]): Trial => ({
      name,
      about: order.about,
      breaks,
      bounds,
      run: (given) => explore(order, given, (verdict) => verdict.fault === fault),
      holds: ({ wrong }) => wrong !== null,
    }),
  ),
]

const help = `Usage: npm run model -- [options]

Explores every interleaving of an application's transactions, workers, the version and one document's slot, within
bounds. The shipped order must lose nothing; each wrong order must be noticed, and the shortest way to it is printed.
Exit code 1 if one of them is not as it has to be. Deterministic. docs/reliability.md says what the model leaves out.

Options:
  --variant <name>   this one alone
  --changes <n>      transactions that change a row, rolled back ones among them
  --workers <n>      workers, each with one batch at a time
  --rows <1|2>       rows the document is made of
  --faults <n>       faults in all, of these kinds:
  --crashes <n>        Postgres forgets what was not flushed
  --timeouts <n>       requests without an answer, applied later or never
  --cuts <n>           claims that are cut off
  --reindexes <0|1>  a second index is filled, the alias swapped, the first one dropped
  --json             a line of JSON for each variant
  --help             this text

Bounds that are not given are the variant's own:
${trials.map(({ name, bounds }) => `  ${name.padEnd(26)} ${boundsText(bounds)}`).join('\n')}

Examples:
  npm run model                                            all of them, in half a minute
  npm run model -- --variant version-after-load            how it loses
  npm run model -- --variant shipped-faults --changes 3 --faults 2
  npm run model -- --variant shipped-reindex --crashes 1 --cuts 1
`

const BOUNDS = {
  changes: [0, 9],
  workers: [1, 4],
  rows: [1, 2],
  faults: [0, 9],
  crashes: [0, 9],
  timeouts: [0, 9],
  cuts: [0, 9],
  reindexes: [0, 1],
} as const satisfies Readonly<Record<keyof Bounds, readonly [number, number]>>

try {
  process.exitCode = main()
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

function main(): number {
  const { values } = parseCommandLine()
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const { variant, json } = values
  const chosen = trials.filter(({ name }) => variant === undefined || name === variant)
  if (chosen.length === 0) {
    throw new UsageError(`there is no variant "${variant}"`, {
      remedy: `There are: ${trials.map(({ name }) => name).join(', ')}.`,
    })
  }
  const given = givenBounds(values)
  let failed = 0
  for (const trial of chosen) {
    const bounds = { ...trial.bounds, ...given }
    const begun = performance.now()
    const found = trial.run(bounds)
    const seconds = Math.round((performance.now() - begun) / 100) / 10
    const ok = trial.holds(found)
    if (!ok) failed += 1
    process.stdout.write(
      json === true ? jsonLine(trial, { ok, bounds, seconds, found }) : text(trial, { ok, seconds, found }),
    )
  }
  return failed === 0 ? 0 : 1
}

function parseCommandLine() {
  const string = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const bounds = {
    changes: string,
    workers: string,
    rows: string,
    faults: string,
    crashes: string,
    timeouts: string,
  }
  try {
    return parseArgs({
      options: { ...bounds, cuts: string, reindexes: string, variant: string, json: flag, help: flag },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { remedy: 'See --help.' })
  }
}

function givenBounds(values: Readonly<Partial<Record<keyof Bounds, string>>>): Partial<Bounds> {
  const given = Object.entries(BOUNDS).flatMap(([name, [least, most]]) => {
    const value = values[name as keyof Bounds]
    if (value === undefined) return []
    if (/^\d$/.test(value) && Number(value) >= least && Number(value) <= most) return [[name, Number(value)]]
    throw new UsageError(`${value} is no whole number from ${least} to ${most}`, { where: `--${name}` })
  })
  return Object.fromEntries(given)
}

interface Result {
  readonly ok: boolean
  readonly seconds: number
  readonly found: Exploration
}

function jsonLine(
  { name, about, breaks }: Trial,
  { ok, bounds, seconds, found }: Result & { readonly bounds: Bounds },
): string {
  const { states, transitions, depth, wrong } = found
  return `${JSON.stringify({ variant: name, ok, about, breaks, bounds, states, transitions, depth, seconds, wrong })}\n`
}

function text({ name, about, breaks }: Trial, { ok, seconds, found: { states, wrong } }: Result): string {
  const explored = `${states.toLocaleString('en')} states, ${seconds} s`
  if (wrong === null) {
    const what = ok ? 'nothing lost, never stuck' : 'NOT NOTICED'
    return `${ok ? '✔' : '✘'} ${name} (${about}): ${what}; all ${explored}\n`
  }
  const { verdict, begins, lines } = wrong
  const steps = [`    ${begins}`, ...lines.map((line, n) => `${String(n + 1).padStart(6)}  ${line}`)]
  const broken = breaks === null ? '' : `, breaks ${breaks}`
  const head = `${ok ? '✔' : '✘'} ${name} (${about}): ${verdict.fault} after ${lines.length} steps${broken}; ${explored}`
  return `${head}\n${steps.join('\n')}\n     →  ${verdict.text}\n`
}

function boundsText(bounds: Bounds): string {
  return Object.entries(bounds)
    .filter(([, value]) => value > 0)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
