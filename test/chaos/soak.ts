import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { UsageError } from '../../src/errors.ts'
import { runProgram } from '../support/program.ts'
import { story } from './story.ts'

const usage = `npm run soak -- [--minutes 30] [--seed N] [--json]

The crash test for long, with a network that breaks: connections of the daemons are cut, half-closed, cut in the middle of an
answer, held and slowed down, beside all that npm run chaos does. One of the four daemons is never killed: what it comes to
take is told (resident memory, open files), and how large the queue became. Then everything heals, the queue drains, and
every row is compared with its document. Exit code 0 only if all agree.
--minutes takes fractions.

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
    mutant: null,
    network: true,
    spared: 1,
  })
})
