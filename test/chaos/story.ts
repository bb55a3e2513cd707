import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FailedError } from '../../src/errors.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { createMutant } from '../support/mutant.ts'
import { closing, say } from '../support/program.ts'
import { startElasticsearch, startPostgres } from '../support/servers/index.ts'
import { createTurns } from './disturber.ts'
import { type Faults, startFaults } from './faults.ts'
import { beyondLimits, memoryIsFlat, watchGrowth } from './growth.ts'
import { installProgram } from './installed-program.ts'
import { type MutantName, mutants } from './mutants.ts'
import { runsOfOperator, startOperator } from './operator.ts'
import { createRandom } from './random.ts'
import { prepareTrouble, prepareUnevenNetwork } from './trouble.ts'
import { describeState, drained, judge } from './verdict.ts'
import { watchDocuments } from './watch.ts'
import { startWorkload, type Workload } from './workload.ts'
import { config, forgetful, tables } from './world.ts'

export interface StoryOptions {
  readonly seconds: number
  /** Goes on until so many transactions were made, however long that takes; null: for `seconds`. */
  readonly transactions: number | null
  readonly seed: number
  readonly json: boolean
  readonly mutant: MutantName | null
  /**
   * The soak: with all the trouble there is. One daemon is never killed, so that what grows can be seen, and there are limits
   * on that, on the time that it takes to drain, and on what observers see.
   */
  readonly soak: boolean
}

/** Within this after the last fault nothing is left to do, in a soak. */
const DRAINED_MS = 60_000

/**
 * From Elasticsearch's start to its next kill, and from one crash of Postgres to the next. While one of them is away little
 * else can go wrong: over a long run, which has many of each in any case, they are to be there most of the time.
 */
const PACINGS = {
  short: { restartEvery: [20_000, 40_000], crashEvery: [3_000, 8_000] },
  long: { restartEvery: [60_000, 180_000], crashEvery: [8_000, 24_000] },
} as const
const LONG_SECONDS = 300

const PROGRESS_MS = 60_000

/** Everything goes wrong for a while, then heals; what was promised is looked at. Resolves to an exit code. */
export async function story(options: StoryOptions): Promise<number> {
  const { seconds, seed, soak } = options
  const random = createRandom(seed)
  const logs = await mkdtemp(join(tmpdir(), 'sluice-chaos-'))
  const mutant = options.mutant === null ? '' : `, mutant ${options.mutant}`
  const amount = options.transactions === null ? `${seconds} s` : `${options.transactions} transactions`
  say(`seed ${seed}, ${amount}${mutant}; logs in ${logs}`)
  const { postgres, elasticsearch, daemons, disturbers, inTurn, servers } = await setUp(options, logs)

  say('the application, and the faults, begin')
  // A TRUNCATE heals what a mutant breaks.
  const truncating = options.mutant === null
  const workload = startWorkload(postgres.url, random.fork('workload'), { truncating })
  const victims = {
    daemons,
    postgres,
    elasticsearch,
    workload,
    disturbers,
    inTurn,
    spared: soak ? 1 : 0,
    say,
  }
  const pid = soak ? daemons.pid(daemons.count - 1) : null
  const growth = pid === null ? null : watchGrowth(pid, servers.pool)
  // A mutant is to be noticed soon: most of its run would be the time in which Elasticsearch starts.
  const firstRestart = options.mutant === null ? seconds * 400 : Number.POSITIVE_INFINITY
  const long = seconds >= LONG_SECONDS || options.transactions !== null
  const { restartEvery, crashEvery } = PACINGS[long ? 'long' : 'short']
  const pacing = { firstRestart: long ? restartEvery[0] : firstRestart, restartEvery, crashEvery }
  const faults = startFaults(victims, random.fork('faults'), pacing)
  closing.defer(() => faults.cease())
  const operator = options.mutant === null ? startOperator(postgres.url, random.fork('operator')) : null
  const watch = watchDocuments(elasticsearch.url, 'chaos-products-*,chaos-routed')
  const told = setInterval(
    () => say(`${workload.transactions} transactions, ${faults.kills} daemons killed`),
    PROGRESS_MS,
  )
  closing.defer(() => clearInterval(told))
  // The time in which Elasticsearch starts does not count: little can go wrong while nothing is indexed.
  const { transactions } = options
  await (transactions === null
    ? faults.served(seconds * 1000)
    : faults.until(() => workload.transactions >= transactions))
  clearInterval(told)
  say(`${workload.transactions} transactions so far; everything heals`)
  await operator?.stop()
  await faults.heal()
  await workload.stop()
  await watch.stop()

  // A mutant that has lost a retry would keep us waiting for ever.
  const healedAt = performance.now()
  const patience = options.mutant === null ? {} : { patienceMs: 60_000 }
  const { examples, drainedAt, ...verdict } = await judge({ ...servers, ...patience })
  const grown = await growth?.stop()
  const drainedMs = Math.round(drainedAt - healedAt)
  const { findings, failures, ...runs } = await runsOfOperator(servers)
  for (const failure of failures) say(failure)
  const problems = [
    ...examples,
    ...findings,
    ...(operator?.errors ?? []).map((error) => `a request for a run failed: ${error}`),
    ...watch.findings,
    ...workload.errors.map((error) => `the application failed: ${error}`),
    ...daemons.failures,
    ...(options.mutant === null ? missed(workload, faults, seconds) : []),
    ...(grown === undefined ? [] : beyondLimits(grown)),
    ...(soak && drainedMs > DRAINED_MS ? [`drained only ${drainedMs} ms after the last fault`] : []),
  ]
  if (problems.length > 0) {
    for (const problem of problems) process.stderr.write(`${problem}\n`)
    process.stderr.write(`${await describeState(servers.pool)}\nlogs of the daemons: ${logs}\n`)
  }
  await daemons.end()
  if (problems.length === 0) await rm(logs, { recursive: true })

  const { kills, stops, disturbances, postgresRestarts, elasticsearchRestarts, elasticsearchStops } = faults
  const { missing, stale, extra, ...others } = verdict
  const result = {
    seed,
    transactions: workload.transactions,
    kills,
    restarts: postgresRestarts + elasticsearchRestarts,
    missing,
    stale,
    extra,
    ...others,
    postgresRestarts,
    elasticsearchRestarts,
    stops,
    elasticsearchStops,
    disturbances,
    drainedMs,
    looks: watch.looks,
    regressions: watch.regressions,
    torn: watch.torn,
    gaps: watch.gaps,
    ...runs,
    committed: workload.kinds.all,
    ...grown,
    ...(grown === undefined ? {} : { memoryIsFlat: memoryIsFlat(grown) }),
  }
  const figures = Object.entries(result).map(([name, value]) =>
    typeof value === 'object' ? `${name} ${JSON.stringify(value)}` : `${name} ${value}`,
  )
  const sentence = `${problems.length === 0 ? '✔' : '✘'} ${figures.join(', ')}`
  process.stdout.write(`${options.json ? JSON.stringify(result) : sentence}\n`)
  return problems.length === 0 ? 0 : 1
}

/** A run of less than this has no time for everything. */
const WHOLE_SECONDS = 20

/** What should have happened and did not: a run in which nothing did would find nothing. */
function missed(
  { transactions, kinds }: Pick<Workload, 'transactions' | 'kinds'>,
  { kills, postgresRestarts }: Pick<Faults, 'kills' | 'postgresRestarts'>,
  seconds: number,
): readonly string[] {
  if (seconds < WHOLE_SECONDS) return []
  return [
    ...(transactions < 2 * seconds ? [`only ${transactions} transactions in ${seconds} s`] : []),
    ...(kills < seconds / 20 ? [`only ${kills} daemons were killed in ${seconds} s`] : []),
    ...(postgresRestarts === 0 ? ['Postgres was never restarted'] : []),
    ...kinds.missing.map((kind) => `nothing of this kind was committed: ${kind}`),
  ]
}

/** Servers, tables, an installed configuration, and daemons that have done the first backfill. */
async function setUp({ mutant, soak }: StoryOptions, logs: string) {
  const broken = mutant === null ? null : await createMutant(mutants[mutant])
  if (broken !== null) closing.defer(() => broken.remove())
  const inTurn = createTurns()
  const trouble = soak ? prepareTrouble(inTurn, say) : prepareUnevenNetwork()
  closing.defer(() => trouble.close())
  const postgres = await startPostgres({ settings: forgetful, env: trouble.environments.postgres })
  closing.defer(() => postgres.stop())
  const elasticsearch = await startElasticsearch({ heap: '512m' })
  closing.defer(() => elasticsearch.stop())
  const pool = createPool(postgres.url, { max: 2, applicationName: 'chaos' })
  closing.defer(() => pool.end())
  await pool.query(tables)

  const file = join(logs, 'sluice.config.json')
  const direct = { postgres: postgres.url, elasticsearch: elasticsearch.url }
  const addresses = await trouble.open(direct, pool)
  // A run heals what a mutant breaks.
  await writeFile(file, JSON.stringify(config(addresses, { runs: mutant === null }), null, 2))
  const { daemons } = await installProgram({
    program: broken?.root,
    config: file,
    logs,
    daemons: 4,
    environment: trouble.environments.daemons,
    closing,
  })
  await trouble.installed(pool)
  daemons.startAll()
  const servers = { pool, elasticsearch: elasticsearch.url, say }
  // A backfill that goes on would heal what the faults break.
  const { disturbers } = trouble
  if (await drained(servers)) return { postgres, elasticsearch, daemons, disturbers, inTurn, servers }
  throw new FailedError('the first backfill does not end', { where: `logs of the daemons: ${logs}` })
}
