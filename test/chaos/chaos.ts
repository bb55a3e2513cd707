import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { FailedError, UsageError } from '../../src/errors.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { createMutant } from '../support/mutant.ts'
import { closing, runProgram, say } from '../support/program.ts'
import { startElasticsearch, startPostgres } from '../support/servers/index.ts'
import { plainEnvironment, prepareDaemons } from './daemons.ts'
import { startFaults } from './faults.ts'
import { type MutantName, mutants, noticeable } from './mutants.ts'
import { runsOfOperator, startOperator } from './operator.ts'
import { createRandom } from './random.ts'
import { tryMutants } from './try-mutants.ts'
import { describeState, drained, judge } from './verdict.ts'
import { watchDocuments } from './watch.ts'
import { startWorkload } from './workload.ts'
import { config, forgetful, tables } from './world.ts'

const usage = `npm run chaos -- [--seconds 30] [--seed N] [--json] [--mutant NAME | --mutants]

The crash test: an application writes to three tables, four daemons are killed and stopped, Postgres loses what was not
flushed, Elasticsearch is killed and freezes. Somebody asks for backfills, reindexes and verifies of three documents, and
schedules are due. Then everything heals, the queue drains, and every row is compared with its document. Exit code 0 only if all agree. The seed fixes the choices, not their interleaving.
--mutant NAME runs daemons that are broken on purpose, which the test has to notice: ${Object.keys(mutants).join(', ')}.
--mutants runs the test with each of these, and with the next seed once more where it noticed nothing; exit code 0 only if
it noticed them all: ${noticeable.join(', ')}.
`

interface Options {
  readonly seconds: number
  readonly seed: number
  readonly json: boolean
  readonly mutant: MutantName | null
  readonly mutants: boolean
}

await runProgram(async () => {
  const options = readOptions()
  if (options === null) return 0
  return options.mutants ? mutantsStory(options) : story(options)
})

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '30' },
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
  const whole = (name: 'seconds' | 'seed') => {
    if (/^\d{1,9}$/.test(values[name])) return Number(values[name])
    throw new UsageError(`--${name} ${values[name]}: a whole number was expected`)
  }
  const isMutant = (name: string): name is MutantName => name in mutants
  const { mutant } = values
  if (mutant !== undefined && !isMutant(mutant)) {
    throw new UsageError(`--mutant ${mutant}: one of ${Object.keys(mutants).join(', ')} was expected`)
  }
  if (mutant !== undefined && values.mutants) throw new UsageError('--mutant and --mutants: one of them')
  return {
    seconds: whole('seconds'),
    seed: whole('seed'),
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
      const sentence = `${noticed ? '✔' : '✘'} ${mutant}: ${line.join(', ')}`
      process.stdout.write(`${json ? JSON.stringify(trial) : sentence}\n`)
    },
  })
  return all ? 0 : 1
}

async function story(options: Options): Promise<number> {
  const { seconds, seed } = options
  const random = createRandom(seed)
  const logs = await mkdtemp(join(tmpdir(), 'sluice-chaos-'))
  const mutant = options.mutant === null ? '' : `, mutant ${options.mutant}`
  say(`seed ${seed}, ${seconds} s${mutant}; logs in ${logs}`)
  const { postgres, elasticsearch, daemons, servers } = await setUp(options, logs)

  say('the application, and the faults, begin')
  const workload = startWorkload(postgres.url, random.fork('workload'))
  const victims = { daemons, postgres, elasticsearch, workload, say }
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
  const patience = options.mutant === null ? {} : { patienceMs: 60_000 }
  const { examples, ...verdict } = await judge({ ...servers, ...patience })
  const { findings, failures, ...runs } = await runsOfOperator(servers)
  for (const failure of failures) say(failure)
  const problems = [
    ...examples,
    ...findings,
    ...(operator?.errors ?? []).map((error) => `a request for a run failed: ${error}`),
    ...watch.findings,
    ...workload.errors.map((error) => `the application failed: ${error}`),
    ...daemons.failures,
  ]
  if (problems.length > 0) {
    for (const problem of problems) process.stderr.write(`${problem}\n`)
    process.stderr.write(`${await describeState(servers.pool)}\nlogs of the daemons: ${logs}\n`)
  }
  await daemons.end()
  if (problems.length === 0) await rm(logs, { recursive: true })

  const { kills, stops, postgresRestarts, elasticsearchRestarts, elasticsearchStops } = faults
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
    looks: watch.looks,
    ...runs,
  }
  const figures = Object.entries(result).map(([name, value]) => `${name} ${value}`)
  const sentence = `${problems.length === 0 ? '✔' : '✘'} ${figures.join(', ')}`
  process.stdout.write(`${options.json ? JSON.stringify(result) : sentence}\n`)
  return problems.length === 0 ? 0 : 1
}

/** Servers, tables, an installed configuration, and daemons that have done the first backfill. */
async function setUp({ mutant }: Options, logs: string) {
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
  const addresses = { postgres: postgres.url, elasticsearch: elasticsearch.url }
  // A run heals what a mutant breaks.
  await writeFile(file, JSON.stringify(config(addresses, { runs: mutant === null }), null, 2))
  const install = [join(program, 'src/cli/main.ts'), 'install', '--config', file]
  // A daemon is killed and started every two seconds: what is compiled once need not be compiled again.
  const environment = { ...plainEnvironment(), NODE_COMPILE_CACHE: join(logs, 'compiled') }
  await promisify(execFile)(process.execPath, install, { cwd: logs, env: environment })
  const daemons = await prepareDaemons({ program, config: file, logs, count: 4, environment })
  closing.defer(() => daemons.end())
  daemons.startAll()
  const servers = { pool, elasticsearch: elasticsearch.url, say }
  // A backfill that goes on would heal what the faults break.
  if (await drained(servers)) return { postgres, elasticsearch, daemons, servers }
  throw new FailedError('the first backfill does not end', { where: `logs of the daemons: ${logs}` })
}
