import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { UsageError } from '../../src/errors.ts'
import { closing, runProgram } from '../support/program.ts'
import { type MutantName, mutants, noticeable } from './mutants.ts'
import { story } from './story.ts'
import { tryMutants } from './try-mutants.ts'

const usage = `npm run chaos -- [--seconds 30 | --transactions N] [--seed N] [--json] [--mutant NAME | --mutants]

The crash test: an application writes to three tables, four daemons are killed and stopped, Postgres loses what was not
flushed, Elasticsearch is killed and freezes, the network is uneven. Somebody asks for backfills, reindexes and verifies of three documents, and
schedules are due. Then everything heals, the queue drains, and every row is compared with its document. Exit code 0 only if all agree. The seed fixes the choices, not their interleaving.
--transactions N goes on until the application has made so many.
--mutant NAME runs daemons that are broken on purpose, which the test has to notice: ${Object.keys(mutants).join(', ')}.
--mutants runs the test with each of these, and where it noticed nothing with the next seeds, five in all; exit code 0
only if it noticed them all: ${noticeable.join(', ')}.
`

interface Options {
  readonly seconds: number
  /** Null: as many as there are in that time. */
  readonly transactions: number | null
  readonly seed: number
  readonly json: boolean
  readonly mutant: MutantName | null
  readonly mutants: boolean
}

await runProgram(async () => {
  const options = readOptions()
  if (options === null) return 0
  return options.mutants ? mutantsStory(options) : story({ ...options, soak: false })
})

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '30' },
      transactions: { type: 'string' },
      seed: { type: 'string', default: String(randomInt(1, 1_000_000)) },
      json: { type: 'boolean', default: false },
      mutant: { type: 'string' },
      mutants: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return null
  }
  const whole = (name: 'seconds' | 'seed' | 'transactions', text: string) => {
    if (/^\d{1,9}$/.test(text)) return Number(text)
    throw new UsageError(`--${name} ${text}: a whole number was expected`)
  }
  const isMutant = (name: string): name is MutantName => name in mutants
  const { mutant } = values
  if (mutant !== undefined && !isMutant(mutant)) {
    throw new UsageError(`--mutant ${mutant}: one of ${Object.keys(mutants).join(', ')} was expected`)
  }
  if (mutant !== undefined && values.mutants) throw new UsageError('--mutant and --mutants: one of them')
  return {
    seconds: whole('seconds', values.seconds),
    transactions: values.transactions === undefined ? null : whole('transactions', values.transactions),
    seed: whole('seed', values.seed),
    json: values.json,
    mutant: mutant ?? null,
    mutants: values.mutants,
  }
}

async function mutantsStory({ seconds, seed, json }: Options): Promise<number> {
  const ending = new AbortController()
  closing.defer(() => ending.abort())
  const all = await tryMutants({
    names: noticeable,
    seconds,
    seed,
    signal: ending.signal,
    told: (trial) => {
      const { mutant, noticed, ...found } = trial
      const line = Object.entries(found).map(([name, value]) => `${name} ${value}`)
      const sentence = `${noticed === (mutant !== 'unbroken') ? '✔' : '✘'} ${mutant}: ${line.join(', ')}`
      process.stdout.write(`${json ? JSON.stringify(trial) : sentence}\n`)
    },
  })
  return all ? 0 : 1
}
