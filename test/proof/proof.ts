import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { UsageError } from '../../src/errors.ts'
import { type MutantName, mutants } from '../chaos/mutants.ts'
import { createRandom } from '../chaos/random.ts'
import { createMutant } from '../support/mutant.ts'
import { closing, runProgram, say as sayIt } from '../support/program.ts'
import { clock } from './clock.ts'
import { load } from './load.ts'
import { lostAnswers } from './lost-answers.ts'
import { refused } from './refused.ts'
import { restarts } from './restarts.ts'
import type { Row, RowResult } from './row.ts'
import { short } from './short.ts'
import { sigterm } from './sigterm.ts'

const rows: readonly Row[] = [lostAnswers, refused, restarts, sigterm, clock, load]

const usage = `npm run proof -- <row|all|--short> [--count N] [--seconds N | --minutes N] [--seed N] [--json] [--mutant NAME]

Rows of the table of figures in docs/reliability.md, each on servers of its own, with daemons as processes of their own:
${rows.map((row) => `  ${row.name.padEnd(13)} ${row.about} (${amount(row.defaults)})`).join('\n')}

--count N, --seconds N, --minutes N  a shorter form, or a longer one
--short                 ${short.about}
--seed N                the same choices again; what they meet does not repeat
--json                  one line of JSON for each row; progress stays on standard error
--mutant NAME           a program that is broken on purpose, which the row has to notice: ${Object.keys(mutants).join(', ')}
Exit code 0 only if every criterion is met.
`

await runProgram(async () => {
  const options = readOptions()
  return options === null ? 0 : runAll(options)
})

interface Options {
  readonly rows: readonly Row[]
  readonly count: number | null
  readonly seconds: number | null
  readonly seed: number
  readonly json: boolean
  readonly mutant: MutantName | null
}

function readOptions(): Options | null {
  const { values, positionals } = parseCommandLine()
  if (values.help) {
    process.stdout.write(usage)
    return null
  }
  const [name = values.short ? short.name : undefined, ...others] = positionals
  const chosen = name === 'all' ? rows : [...rows, short].filter((row) => row.name === name)
  if (chosen.length === 0 || others.length > 0) {
    throw new UsageError(`name one row, or all: ${rows.map((row) => row.name).join(', ')}`, {
      where: name ?? 'proof',
    })
  }
  const whole = (flag: 'count' | 'seconds' | 'minutes' | 'seed') => {
    const text = values[flag]
    if (text === undefined) return null
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
    throw new UsageError(`--${flag} ${text}: a whole number from 1 on was expected`)
  }
  const isMutant = (text: string): text is MutantName => text in mutants
  const { mutant = null, json } = values
  if (mutant !== null && !isMutant(mutant)) {
    throw new UsageError(`--mutant ${mutant}: one of ${Object.keys(mutants).join(', ')} was expected`)
  }
  const seed = whole('seed') ?? randomInt(1, 1_000_000)
  const minutes = whole('minutes')
  const seconds = minutes === null ? whole('seconds') : minutes * 60
  return { rows: chosen, count: whole('count'), seconds, seed, json, mutant }
}

function parseCommandLine() {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        ...{ count: text, seconds: text, minutes: text, seed: text, mutant: text },
        ...{ short: flag, json: flag, help: flag },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { remedy: 'See --help.' })
  }
}

async function runAll(options: Options): Promise<number> {
  let program = join(import.meta.dirname, '../..')
  if (options.mutant !== null) {
    const broken = await createMutant(mutants[options.mutant])
    closing.defer(() => broken.remove())
    program = broken.root
  }
  let failed = 0
  for (const row of options.rows) if (!(await runOne(row, options, program))) failed += 1
  return failed === 0 ? 0 : 1
}

/** Runs a row, tells what came out, and ends its servers. False when a criterion is not met. */
async function runOne(row: Row, options: Options, program: string): Promise<boolean> {
  const { seed, mutant } = options
  const say = (text: string) => sayIt(`${row.name}: ${text}`)
  const own = closing.use(new AsyncDisposableStack())
  try {
    say(`seed ${seed}${mutant === null ? '' : `, mutant ${mutant}`}`)
    const { count, seconds } = { count: 0, seconds: 0, ...row.defaults }
    const result = await row.run({
      count: options.count ?? count,
      seconds: options.seconds ?? seconds,
      random: createRandom(seed).fork(row.name),
      say,
      closing: own,
      program,
    })
    tell(row, result, options)
    return result.problems.length === 0
  } finally {
    await own.disposeAsync()
  }
}

function tell({ name }: Row, { figures, problems }: RowResult, { seed, json }: Options): void {
  const ok = problems.length === 0
  if (json) {
    process.stdout.write(`${JSON.stringify({ row: name, seed, ...figures, ok })}\n`)
    return
  }
  const lines = Object.entries(figures).map(([figure, value]) => {
    const text = JSON.stringify(value).replaceAll(/[{}"]/g, '')
    return `  ${figure.padEnd(18)} ${text}`
  })
  process.stdout.write(`${ok ? '✔' : '✘'} ${name} (seed ${seed})\n${lines.join('\n')}\n`)
}

function amount(defaults: Row['defaults']): string {
  return 'count' in defaults ? `--count ${defaults.count}` : `--seconds ${defaults.seconds}`
}
