import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { UsageError } from '../../src/errors.ts'
import { CLOCK_REMEDY } from '../support/false-clock.ts'
import { runProgram } from '../support/program.ts'
import { story } from './story.ts'

const usage = `npm run soak -- [--minutes 30] [--seed N] [--json]

The crash test for long, with all the trouble there is: beside what npm run chaos does, the daemons' connections are cut,
half-closed, held and slowed down, answers of Elasticsearch get lost or are refusals, their sessions are terminated, tables
locked, time-outs of their role set, indices blocked, a disk is full, hundreds of rows are refused, and clocks are set.
One of the four daemons is never killed: what it comes to take has limits (memory, open files), and so have the queue's
size and the time that it takes to drain, 60 seconds. Then everything heals, the queue drains, and every row is compared
with its document. Exit code 0 only if all agree, within the limits.
--minutes takes fractions. A full disk takes root, clocks ${CLOCK_REMEDY}.

  npm run soak -- --minutes 3 --seed 1
`

await runProgram(async () => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '30' },
      seed: { type: 'string', default: String(randomInt(1, 1_000_000)) },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const minutes = Number(values.minutes)
  if (!(minutes > 0 && Number.isFinite(minutes)))
    throw new UsageError(`--minutes ${values.minutes}: a number above 0 was expected`)
  if (!/^\d{1,9}$/.test(values.seed))
    throw new UsageError(`--seed ${values.seed}: a whole number was expected`)
  return story({
    seconds: Math.round(minutes * 60),
    seed: Number(values.seed),
    json: values.json,
    transactions: null,
    mutant: null,
    soak: true,
  })
})
