import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { FailedError } from '../../src/errors.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { createMutant } from '../support/mutant.ts'
import { closing, say } from '../support/program.ts'
import { startElasticsearch, startPostgres } from '../support/servers/index.ts'
import { plainEnvironment, prepareDaemons } from './daemons.ts'
import { type Faults, startFaults } from './faults.ts'
import { watchGrowth } from './growth.ts'
import { type MutantName, mutants } from './mutants.ts'
import { openNetwork } from './network.ts'
import { runsOfOperator, startOperator } from './operator.ts'
import { createRandom } from './random.ts'
import { describeState, drained, judge } from './verdict.ts'
import { watchDocuments } from './watch.ts'
import { startWorkload, type Workload } from './workload.ts'
import { config, forgetful, tables } from './world.ts'

export interface StoryOptions {
  readonly seconds: number
  readonly seed: number
  readonly json: boolean
  readonly mutant: MutantName | null
  /** Whether connections of the daemons are disturbed, too. */
  readonly network: boolean
  /** So many daemons are never killed; what the last one and the queue come to take is told. */
  readonly spared: number
}

/** Everything goes wrong for a while, then heals; what was promised is looked at. Resolves to an exit code. */
export async function story(options: StoryOptions): Promise<number> {
  const { seconds, seed, spared } = options
  const random = createRandom(seed)
  const logs = await mkdtemp(join(tmpdir(), 'sluice-chaos-'))
  const mutant = options.mutant === null ? '' : `, mutant ${options.mutant}`
  say(`seed ${seed}, ${seconds} s${mutant}; logs in ${logs}`)
  const { postgres, elasticsearch, daemons, network, servers } = await setUp(options, logs)

  say('the application, and the faults, begin')
  // A TRUNCATE heals what a mutant breaks.
  const truncating = options.mutant === null
  const workload = startWorkload(postgres.url, random.fork('workload'), { truncating })
  const victims = { daemons, postgres, elasticsearch, workload, network, spared, say }
  const pid = spared > 0 ? daemons.pid(daemons.count - 1) : null
  const growth = pid === null ? null : watchGrowth(pid, servers.pool)
  // A mutant is to be noticed soon: most of its run would be the time in which Elasticsearch starts.
  const firstRestart = options.mutant === null ? seconds * 400 : Number.POSITIVE_INFINITY
  const faults = startFaults(victims, random.fork('faults'), firstRestart)
  closing.defer(() => faults.cease())
  const operator = options.mutant === null ? startOperator(postgres.url, random.fork('operator')) : null
  const watch = watchDocuments(elasticsearch.url, 'chaos-products-*,chaos-routed')
  // The time in which Elasticsearch starts does not count: little can go wrong while nothing is indexed.
  await faults.served(seconds * 1000)
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
    drainedMs: Math.round(drainedAt - healedAt),
    looks: watch.looks,
    ...runs,
    committed: workload.kinds.all,
    ...grown,
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
async function setUp({ mutant, network: disturbed }: StoryOptions, logs: string) {
  let program = join(import.meta.dirname, '../..')
  if (mutant !== null) {
    const broken = await createMutant(mutants[mutant])
    closing.defer(() => broken.remove())
    program = broken.root
  }
  const postgres = await startPostgres({
    settings: forgetful,
  })
  closing.defer(() => postgres.stop())
  const elasticsearch = await startElasticsearch({ heap: '512m' })
  closing.defer(() => elasticsearch.stop())
  const pool = createPool(postgres.url, { max: 2, applicationName: 'chaos' })
  closing.defer(() => pool.end())
  await pool.query(tables)

  const file = join(logs, 'sluice.config.json')
  const direct = { postgres: postgres.url, elasticsearch: elasticsearch.url }
  const network = disturbed ? await openNetwork(direct) : null
  if (network !== null) closing.defer(() => network.close())
  const addresses =
    network === null ? direct : { postgres: network.postgres.url, elasticsearch: network.elasticsearch.url }
  // A run heals what a mutant breaks.
  await writeFile(file, JSON.stringify(config(addresses, { runs: mutant === null }), null, 2))
  const install = [join(program, 'src/cli/main.ts'), 'install', '--config', file]
  // A daemon is killed and started every two seconds: what is compiled once need not be compiled again.
  const environment = { ...plainEnvironment(), NODE_COMPILE_CACHE: join(logs, 'compiled') }
  // A busy machine takes its time to make indices.
  const patient = { ...environment, REQUEST_TIMEOUT: '60000' }
  await promisify(execFile)(process.execPath, install, { cwd: logs, env: patient })
  const daemons = await prepareDaemons({ program, config: file, logs, count: 4, environment })
  closing.defer(() => daemons.end())
  daemons.startAll()
  const servers = { pool, elasticsearch: elasticsearch.url, say }
  // A backfill that goes on would heal what the faults break.
  if (await drained(servers)) return { postgres, elasticsearch, daemons, network, servers }
  throw new FailedError('the first backfill does not end', { where: `logs of the daemons: ${logs}` })
}
