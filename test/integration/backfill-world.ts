import type pg from 'pg'
import { pino } from 'pino'
import type { DocumentPlan } from '../../src/documents/types.ts'
import type { RunContext } from '../../src/runs/context.ts'
import { executeRun, type RunOutcome } from '../../src/runs/execute.ts'
import { RunInterrupted } from '../../src/runs/interrupted.ts'
import { takeRun } from '../../src/runs/lifecycle.ts'
import { readRun } from '../../src/runs/read-runs.ts'
import { requestBackfill } from '../../src/runs/request-backfill.ts'
import { RunLoop } from '../../src/runs/run-loop.ts'
import type { Run, RunOptions } from '../../src/runs/types.ts'
import { eventually } from '../support/context.ts'
import { addDocument, drainer, type RunsFixture, SCHEMA, stopDrainers } from './runs-fixture.ts'

const log = pino({ level: 'silent' })
const elasticsearch = new Proxy({} as RunContext['elasticsearch'], {
  get: (_, name) => {
    throw new Error(`a backfill does not ask Elasticsearch: ${String(name)}`)
  },
})
const int8 = 'pg_catalog.int8'
const text = 'pg_catalog.text'

/**
 * Documents with keys of several kinds, few rows and many, and what asks for backfills of them and executes these as daemons
 * do. `db` is asked for whenever something is done: a hook makes it.
 */
export function backfills(db: () => RunsFixture) {
  const plans = new Map<string, DocumentPlan>()
  const loops = new Set<RunLoop>()
  const executions = new Map<AbortController, Promise<unknown>>()

  /** Makes the tables and the documents. */
  async function prepare(): Promise<void> {
    await db().pool.query(`
      CREATE TABLE city (id bigint PRIMARY KEY, name text, active boolean NOT NULL DEFAULT true,
                         changed_at timestamptz, local_at timestamp, day date, tenant int GENERATED ALWAYS AS (id % 3) STORED);
      INSERT INTO city (id, name, changed_at, local_at, day)
      SELECT n, 'city ' || n, clock_timestamp() - n * interval '1 minute', localtimestamp - n * interval '1 minute',
             current_date - n / 10
        FROM generate_series(1, 12000) n;
      CREATE TABLE street (city text, no bigint, PRIMARY KEY (no, city));
      INSERT INTO street SELECT c, n FROM generate_series(1, 3000) n, unnest(ARRAY['a"b', 'ü, x', E'tab\\t']) c;
      CREATE TABLE nothing (id bigint PRIMARY KEY);
      CREATE TABLE few (id bigint PRIMARY KEY); INSERT INTO few VALUES (1);
      CREATE TABLE single (id bigint PRIMARY KEY); INSERT INTO single VALUES (1);
      CREATE TABLE many (id bigint PRIMARY KEY);
      INSERT INTO many SELECT generate_series(1, 60000)`)
    const add = async (document: Parameters<typeof addDocument>[1]) =>
      plans.set(document.document, await addDocument(db().pool, document))
    await add({ document: 'city', key: [{ name: 'id', type: int8 }], where: 'active', tenant: 'tenant' })
    await add({ document: 'few', key: [{ name: 'id', type: int8 }] })
    await add({ document: 'single', key: [{ name: 'id', type: int8 }] })
    await add({ document: 'nothing', key: [{ name: 'id', type: int8 }] })
    await add({ document: 'many', key: [{ name: 'id', type: int8 }] })
    await add({
      document: 'street',
      key: [
        { name: 'city', type: text },
        { name: 'no', type: int8 },
      ],
      walkOrder: [1, 0],
    })
  }

  async function emptied(): Promise<void> {
    await db().pool.query(`DELETE FROM "${SCHEMA}".sync_queue`)
    await db().pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
  }

  /** As it is before each test. */
  async function begin(): Promise<void> {
    await emptied()
    await db().pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'active'`)
  }

  /** Ends what a test has left. */
  async function end(): Promise<void> {
    await Promise.all([...loops].map((loop) => loop.stop()))
    loops.clear()
    for (const abort of executions.keys()) abort.abort(new RunInterrupted('released'))
    await Promise.allSettled(executions.values())
    executions.clear()
    await stopDrainers()
  }

  /** Executes a run as a daemon does; what a failed test leaves is ended behind it. */
  function execute(run: Run, context: RunContext, abort = new AbortController()): Promise<RunOutcome> {
    const outcome = executeRun(context, run, abort.signal)
    executions.set(abort, outcome)
    return outcome
  }

  function contextOf(instance: string, pool: pg.Pool = db().pool): RunContext {
    return { pool, schema: SCHEMA, elasticsearch, plans, instance, log }
  }

  function startLoop(instance: string, pool?: pg.Pool): RunLoop {
    const loop = new RunLoop(contextOf(instance, pool))
    loops.add(loop)
    loop.start()
    return loop
  }

  const request = (document: string, options: RunOptions = {}) =>
    requestBackfill(db().pool, SCHEMA, { document, options, requestedBy: 'test' })

  /** Eventually: a transaction that is just settling, or dying, holds the row. */
  const taken = (instance: string): Promise<Run> =>
    eventually(() => takeRun(db().pool, SCHEMA, instance, [...plans.keys()]), { describe: 'a run to take' })

  function planOf(document: string): DocumentPlan {
    const plan = plans.get(document)
    if (plan === undefined) throw new Error(`no plan of ${document}`)
    return plan
  }

  async function runRow(id: string): Promise<Run> {
    const run = await readRun(db().pool, SCHEMA, id)
    if (run === null) throw new Error(`no run ${id}`)
    return run
  }

  const silence = () =>
    db().pool.query(`UPDATE "${SCHEMA}".sync_run SET heartbeat_at = clock_timestamp() - interval '1 min'`)

  async function keysOf(sql: string): Promise<string[]> {
    const { rows } = await db().pool.query<{ key: string }>(sql)
    return rows.map(({ key }) => key)
  }
  const cityKeys = (condition = 'active') =>
    keysOf(`SELECT id::text AS key FROM city WHERE ${condition} ORDER BY id`)

  /** Executes a requested backfill to its end, with its marks drained beside it; returns run and keys. */
  async function complete(document: string, options: RunOptions = {}): Promise<{ run: Run; keys: string[] }> {
    const { id } = await request(document, options)
    const drained = drainer(db().pool)
    await execute(await taken('a'), contextOf('a'))
    const keys = await drained.stop()
    return { run: await runRow(id), keys }
  }

  return {
    plans,
    loops,
    prepare,
    emptied,
    begin,
    end,
    execute,
    contextOf,
    startLoop,
    request,
    taken,
    planOf,
    runRow,
    silence,
    keysOf,
    cityKeys,
    complete,
  }
}
