import { readStatus } from '../../src/answers/read-status.ts'
import { questions, readDatabase } from '../../src/metrics/read-database.ts'
import { rollback } from '../../src/postgres/transaction.ts'
import { claimMarks } from '../../src/queue/claim-marks.ts'
import { healthFigures } from '../../src/queue/health-figures.ts'
import { readConditions } from '../../src/queue/read-conditions.ts'
import { readFailureGroups, readFailures } from '../../src/queue/read-failures.ts'
import { readLog } from '../../src/queue/read-log.ts'
import { readRuns, readWaits } from '../../src/runs/read-runs.ts'
import { documents, fillHistory, fillQueue } from './backlog-fill.ts'
import { type Cell, type Figure, type Measurement, usual } from './cell.ts'
import { treeCpuSeconds } from './process-figures.ts'
import { median, rounded } from './statistics.ts'
import type { World } from './world.ts'

/** Marks in the queue, one size after the other; those above --rows are left out. */
const SIZES = [10_000, 100_000, 1_000_000, 5_000_000] as const
const ASKED_AT = 1_000_000

/** Each is read so often in a round; their median is the round's value. */
const TIMES = 5

const views = [
  'sync_stats',
  'sync_hourly',
  'sync_lag',
  'sync_failures',
  'sync_workers',
  'sync_runs',
  'sync_alerts',
]

/** What somebody looks at, by what it is called. */
const reads: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  ...Object.fromEntries(
    views.map((view) => [view, ({ pool }: World) => pool.query(`SELECT * FROM sluice.${view}`)]),
  ),
  status: ({ pool }) => readStatus({ pool, schema: 'sluice' }, null),
  'what /health reads': ({ pool }) => healthFigures(pool, 'sluice'),
  'what /metrics reads': async ({ pool }) => {
    const answered = Object.keys(await readDatabase(pool, 'sluice'))
    const missing = questions.filter((question) => !answered.includes(question))
    if (missing.length > 0) throw new Error(`not answered: ${missing.join(', ')}`)
  },
  'what the dashboard reads': ({ pool }) =>
    Promise.all([
      readStatus({ pool, schema: 'sluice' }, null),
      readFailureGroups(pool, 'sluice', {}),
      readLog(pool, 'sluice', {}, 50),
    ]),
  'failed list': ({ pool }) =>
    Promise.all([readFailures(pool, 'sluice', {}, 20), readFailureGroups(pool, 'sluice', {})]),
  'runs list': ({ pool }) => Promise.all([readRuns(pool, 'sluice'), readWaits(pool, 'sluice')]),
  'what alerts are made of': ({ pool }) =>
    readConditions(pool, 'sluice', { backlogAfterMs: 600_000, drift: 0 }),
}

const CLAIM = 'claim of 1,000'
const BY_SIZE = 'claim of 1,000, to that of 10,000 marks'

const at = (name: string, marks: number) => `${name}, ${marks.toLocaleString('en')} marks`
const unprepared = (name: string) => `${name}, before ANALYZE`

const figures: Readonly<Record<string, Figure>> = {
  ...Object.fromEntries(
    Object.keys(reads).flatMap((name) => {
      const figure = { of: 'value', atMost: 100 } as const
      return [
        [at(name, ASKED_AT), figure],
        [unprepared(at(name, ASKED_AT)), figure],
      ]
    }),
  ),
  [at(BY_SIZE, 5_000_000)]: { of: 'value', atMost: 1.5 },
}

/** How long those who look wait, and a claim takes, while the queue grows. */
export const backlog: Cell = {
  name: 'backlog',
  about:
    'Every view, status, and what /health, /metrics and the dashboard read, with 30 days of log and 10,000 marks to --rows (up to 5,000,000) in the queue; and the claim of 1,000.',
  defaults: { ...usual, rows: 5_000_000 },
  figures,
  world: { documents },
  ownServers: 'it switches autovacuum off for the whole Postgres',
  async *measure(world, { rounds, rows }, note) {
    note('a month of log, failures and runs')
    await fillHistory(world)
    await world.pool.query('SELECT sluice.cleanup_old_sync_records(30)')
    // A month of minutes has become hours at once, where daemons do a day: the room that it left would be read for nothing.
    await world.pool.query('VACUUM (FULL, ANALYZE) sluice.sync_rollup')
    await analyzed(world, 'sync_log', 'sync_failed', 'sync_run', 'sync_document', 'sync_worker', 'sync_index')
    const first: number[] = []
    let filled = 0
    for (const marks of SIZES.filter((size) => size <= rows)) {
      note(`${marks.toLocaleString('en')} marks`)
      await fillQueue(world, filled, marks)
      filled = marks
      // Or those who read would have to write: Postgres' buffers are full of changed pages.
      await world.checkpoint()
      for (let round = 1; round <= rounds; round++) {
        yield* look(world, round, (name) => unprepared(at(name, marks)))
      }
      await analyzed(world, 'sync_queue')
      for (let round = 1; round <= rounds; round++) {
        yield* look(world, round, (name) => at(name, marks))
        // Between the looks: all rounds of it together take half a second, and a moment's neighbour would be in each.
        const measured = await timed(world, () => claim(world))
        if (marks === SIZES[0]) first.push(measured.value)
        yield { round, case: at(CLAIM, marks), ...measured }
        yield { round, case: at(BY_SIZE, marks), value: measured.value / median(first), unit: '×' }
      }
      const command = await timed(world, () => world.sluice('status', '--json'))
      yield { round: 1, case: at('sluice status --json', marks), ...command }
    }
  },
}

async function* look(
  world: World,
  round: number,
  caseOf: (name: string) => string,
): AsyncGenerator<Measurement> {
  for (const [name, read] of Object.entries(reads)) {
    yield { round, case: caseOf(name), ...(await timed(world, () => read(world))) }
  }
}

/**
 * Milliseconds, the median of some; the first is not counted, for it fills caches. With it the processor time of Postgres,
 * to a few milliseconds: on a machine that is not ours it says more.
 */
async function timed({ pids }: World, act: () => Promise<unknown>) {
  await act()
  const took: number[] = []
  const used = () => (pids === null ? 0 : treeCpuSeconds(pids.postgres))
  const before = used()
  for (let n = 0; n < TIMES; n++) {
    const began = performance.now()
    await act()
    took.push(performance.now() - began)
  }
  const cpu = ((used() - before) * 1000) / TIMES
  return { value: median(took), unit: 'ms', details: { postgres_cpu_ms: rounded(cpu) } }
}

/** As a worker claims, and given back. */
async function claim({ pool }: World): Promise<void> {
  const client = await pool.connect()
  try {
    const claimed = await claimMarks(client, 'sluice', {
      document: 'story',
      lane: 0,
      maxKeys: 1_000,
      idleTimeoutMs: 60_000,
    })
    if (claimed?.marks.length !== 1_000) throw new Error(`${claimed?.marks.length} marks were claimed`)
  } finally {
    await rollback(client)
    client.release()
  }
}

async function analyzed({ pool }: World, ...tables: readonly string[]): Promise<void> {
  for (const table of tables) await pool.query(`VACUUM (ANALYZE) sluice.${table}`)
}
