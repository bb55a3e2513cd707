import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { UsageError } from '../../src/errors.ts'
import { closing, runProgram, say } from '../support/program.ts'
import { openArticles } from './articles-world.ts'
import { askStatus, type Status, untruths } from './outage-status.ts'
import { type SteadyWrites, startSteadyWrites } from './steady-writes.ts'

const usage = `npm run outage -- [--minutes 10] [--rate 100] [--json]

The outage drill: an application writes at a steady rate, two daemons follow; Elasticsearch is killed, stays away for so
many minutes, and is started again. Meanwhile no document may be charged an attempt, no write of the application may
fail, and "sluice status" has to say what is waited for and how far behind it is; afterwards the daemons have to catch up
by themselves. Then every row is compared with its document. Exit code 0 only if all of that holds.
--minutes takes fractions.
`

const DAEMONS = 2

/**
 * "Unaffected": p99 of the writes while Elasticsearch is away, against the minute before. Queue and indexes grow meanwhile,
 * so a quarter more is allowed for, and two milliseconds for what one slow sync of the disk moves in a p99 of a few.
 */
const MOST_TIMES = 1.25
const MOST_MORE_MS = 2

/** How long the daemons may take to work off what has gathered. */
const CATCH_UP_MS = 300_000

await runProgram(async () => {
  const options = readOptions()
  return options === null ? 0 : story(options)
})

interface Options {
  readonly minutes: number
  readonly rate: number
  readonly json: boolean
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      rate: { type: 'string', default: '100' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return null
  }
  const positive = (name: 'minutes' | 'rate') => {
    const value = Number(values[name])
    if (value > 0 && Number.isFinite(value)) return value
    throw new UsageError(`--${name} ${values[name]}: a number above 0 was expected`)
  }
  return { minutes: positive('minutes'), rate: positive('rate'), json: values.json }
}

async function story({ minutes, rate, json }: Options): Promise<number> {
  const world = await openArticles({ name: 'outage', say, closing, daemons: DAEMONS })
  const { postgres, elasticsearch, daemons } = world
  const status = () => askStatus(world.main, world.place)
  const ms = minutes * 60_000
  const problems: string[] = []

  const writes = startSteadyWrites(postgres.url, rate)
  closing.defer(() => writes.stop())
  // Connections, plans and caches of the first second are no measure.
  await delay(Math.min(5_000, ms))
  say(`the application writes ${rate} times a second`)
  writes.begin('before')
  await delay(Math.min(60_000, ms))

  say(`kill -9 Elasticsearch, for ${minutes} minutes`)
  const since = Date.now()
  await elasticsearch.kill('SIGKILL')
  writes.begin('during')
  const looks = await lookOn({
    until: since + ms,
    since,
    server: new URL(elasticsearch.url).host,
    status,
    problems,
  })
  say('Elasticsearch is started again')
  // Its start takes the processors away from everybody: that is not the outage.
  writes.begin('starting')
  await elasticsearch.start()
  const back = performance.now()
  writes.begin('after')

  say('it answers; the daemons catch up under the same writes')
  const caughtUp = await catchUp(status, back)
  if (caughtUp === null) problems.push('the daemons did not catch up')
  await writes.stop()
  if (!(await world.drained())) problems.push('the queue did not drain')
  const compared = await world.compareAll()
  const charged = await world.chargedEver()
  problems.push(...charged.examples, ...compared.examples, ...daemons.failures)
  problems.push(...writes.errors.map((error) => `the application failed: ${error}`))
  const [before, during] = [writes.latency('before').p99, writes.latency('during').p99]
  if (during > before * MOST_TIMES + MOST_MORE_MS) {
    problems.push(`the application's writes took ${during} ms at p99 during the outage, ${before} before`)
  }
  if (compared.missing + compared.stale + compared.extra > 0) problems.push('rows and documents do not agree')
  await world.end(problems)
  report({ minutes, rate, json, writes, looks, charged: charged.count, caughtUp, compared, problems })
  return problems.length === 0 ? 0 : 1
}

interface Looks {
  readonly count: number
  readonly untrue: number
  readonly mostPending: number
}

interface Looking {
  /** When it ends and when it began, milliseconds since 1970. */
  readonly until: number
  readonly since: number
  /** host:port of the server that is away. */
  readonly server: string
  readonly status: () => Promise<Status>
  readonly problems: string[]
}

/** Asks for the status again and again until the outage is to end, and holds it against what is so. */
async function lookOn({ until, since, server, status: ask, problems }: Looking): Promise<Looks> {
  const looks = { count: 0, untrue: 0, mostPending: 0 }
  const every = Math.min(5_000, (until - since) / 4)
  while (Date.now() + every < until) {
    await delay(every)
    const asked = Date.now()
    const status = await ask()
    const wrong = untruths(
      status,
      { since, server, daemons: DAEMONS, pendingBefore: looks.mostPending },
      asked,
    )
    problems.push(...wrong.map((text) => `status after ${Math.round((asked - since) / 1000)} s: ${text}`))
    looks.count += 1
    if (wrong.length > 0) looks.untrue += 1
    looks.mostPending = Math.max(looks.mostPending, status.documents[0]?.pendingKeys ?? 0)
    if (looks.count % 12 === 0) say(`${looks.mostPending} keys pending`)
  }
  await delay(Math.max(0, until - Date.now()))
  if (looks.count === 0) problems.push('nobody has asked for the status')
  return looks
}

/** Waits until every daemon runs and the oldest mark is younger than two seconds; returns how long that took. */
async function catchUp(status: () => Promise<Status>, back: number): Promise<number | null> {
  const isUp = ({ documents, workers }: Status) =>
    workers.filter(({ alive, state }) => alive && state === 'running').length === DAEMONS &&
    (documents[0]?.oldestPendingMs ?? 0) < 2_000
  while (performance.now() - back < CATCH_UP_MS) {
    if (isUp(await status())) return performance.now() - back
    await delay(200)
  }
  return null
}

interface Ended extends Options {
  readonly writes: SteadyWrites
  readonly looks: Looks
  readonly charged: number
  readonly caughtUp: number | null
  readonly compared: { documents: number; missing: number; stale: number; extra: number }
  readonly problems: readonly string[]
}

function report({ minutes, rate, json, writes, looks, charged, caughtUp, compared, problems }: Ended): void {
  const { documents, missing, stale, extra } = compared
  const result = {
    minutes,
    rate,
    writes: writes.count,
    errors: writes.failed,
    before: writes.latency('before'),
    during: writes.latency('during'),
    after: writes.latency('after'),
    looks: looks.count,
    untrue: looks.untrue,
    mostPending: looks.mostPending,
    charged,
    caughtUpMs: caughtUp === null ? null : Math.round(caughtUp),
    documents,
    missing,
    stale,
    extra,
    ok: problems.length === 0,
  }
  const figures = Object.entries(result).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
  process.stdout.write(
    json ? `${JSON.stringify(result)}\n` : `${result.ok ? '✔' : '✘'} ${figures.join(', ')}\n`,
  )
}
