import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ScheduleDefinition } from '../../src/config/types.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { readDocuments } from '../../src/queue/read-documents.ts'
import { schedulesPart } from '../../src/runs/install-schedules.ts'
import { readRuns } from '../../src/runs/read-runs.ts'
import { Schedules } from '../../src/runs/schedules.ts'
import { eventually } from '../support/eventually.ts'
import { addDocument, type RunsFixture, runsFixture, SCHEMA } from './runs-fixture.ts'

let db: RunsFixture

const hourly: ScheduleDefinition = { cron: '0 * * * *', run: 'backfill' }

beforeAll(async () => {
  db = await runsFixture()
  await db.pool.query(`
    CREATE TABLE city (id bigint PRIMARY KEY, name text, changed_at timestamptz);
    CREATE TABLE line (id bigint PRIMARY KEY, changed_at timestamptz);
    CREATE INDEX ON line (changed_at)`)
  await addDocument(db.pool, { document: 'city', key: [{ name: 'id', type: 'pg_catalog.int8' }] })
  await addDocument(db.pool, { document: 'line', key: [{ name: 'id', type: 'pg_catalog.int8' }] })
})
afterAll(() => db.drop())
beforeEach(async () => {
  await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run; DELETE FROM "${SCHEMA}".sync_schedule`)
  await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'active', reason = NULL`)
})

type Definitions = Readonly<Record<string, ScheduleDefinition>>

const part = (definitions: Definitions) =>
  schedulesPart(db.pool, SCHEMA, new Map(Object.entries(definitions)))
const install = (definitions: Definitions) => part(definitions).apply()

/** What `install` would do, and what it refuses. */
async function planned(definitions: Definitions) {
  const refused: string[] = []
  const client = await db.pool.connect()
  try {
    const plans = (await readDocuments(client, SCHEMA)).map(({ plan }) => plan)
    const onRefused = (_: string, error: unknown) => refused.push(String(error))
    const { steps, notes } = await part(definitions).plan(client, { migrate: false, plans, onRefused })
    return { steps: steps.map(({ action, what }) => `${action} ${what}`), notes, refused }
  } finally {
    client.release()
  }
}

interface Started {
  readonly schedules: Schedules
  /** Fires what is due. */
  look(): Promise<number>
  /** What it has logged. */
  readonly said: Record<string, unknown>[]
}

function instance(name: string, definitions: Definitions, pool = db.pool): Started {
  const said: Record<string, unknown>[] = []
  const schedules = new Schedules({
    pool,
    schema: SCHEMA,
    instance: name,
    log: pino(
      { level: 'debug', base: null, timestamp: false },
      { write: (line) => said.push(JSON.parse(line)) },
    ),
    schedules: new Map(Object.entries(definitions)),
    ready: () => true,
  })
  return { schedules, look: () => schedules.look(), said }
}

const set = (name: string, columns: string) =>
  db.pool.query(`UPDATE "${SCHEMA}".sync_schedule SET ${columns} WHERE name = $1`, [name])
const makeDue = (name: string, ago = '1 second') =>
  set(name, `next_at = clock_timestamp() - interval '${ago}'`)

async function row(name: string) {
  const { rows } = await db.pool.query<{
    next_at: string
    last_at: string
    fired_by: string
    last_runs: unknown
  }>(
    `SELECT next_at::text, last_at::text, fired_by, last_runs,
            next_at > clock_timestamp() AND next_at <= clock_timestamp() + interval '1 hour' AS within_an_hour
       FROM "${SCHEMA}".sync_schedule WHERE name = $1`,
    [name],
  )
  return rows[0] ?? null
}

describe('a firing', () => {
  test('is one over all instances, with a run for each document', async () => {
    const instances = ['a', 'b', 'c'].map((name) => instance(name, { hourly }))
    await install({ hourly })
    for (let round = 0; round < 10; round++) {
      await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
      await makeDue('hourly')
      await Promise.all(instances.map(({ look }) => look()))
      const runs = await readRuns(db.pool, SCHEMA)
      expect(runs.map(({ document }) => document).sort()).toEqual(['city', 'line'])
      expect(runs[0]).toMatchObject({
        kind: 'backfill',
        state: 'requested',
        requestedBy: 'schedule hourly',
        reason: expect.stringMatching(/^schedule hourly was due at .* UTC$/),
      })
      const left = instances
        .flatMap(({ said }) => said.splice(0))
        .filter(({ msg }) => msg !== 'schedule fired')
      expect(left).toEqual([])
      expect(await row('hourly')).toMatchObject({
        within_an_hour: true,
        fired_by: expect.stringMatching(/^[abc]$/),
        last_runs: [
          { document: 'city', skipped: null },
          { document: 'line', skipped: null },
        ],
      })
    }
  })

  test('whose instance dies in the middle of it is neither lost nor doubled', async () => {
    await install({ hourly })
    await makeDue('hourly')
    const before = await row('hourly')
    const other = await db.pool.connect()
    const mortal = createPool(db.url, { max: 2, applicationName: 'mortal' })
    try {
      // Not committed, so that the firing waits for it: its row of sync_schedule is changed, its first run is not there.
      await other.query(`BEGIN; INSERT INTO "${SCHEMA}".sync_run (kind, document) VALUES ('verify', 'city')`)
      const dying = expect(instance('a', { hourly }, mortal).look()).rejects.toThrow()
      const waiting = `SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'mortal' AND wait_event_type = 'Lock'`
      const { pid } = await eventually(
        async () => (await db.pool.query<{ pid: number }>(waiting)).rows[0] ?? null,
      )
      await db.pool.query('SELECT pg_terminate_backend($1)', [pid])
      await dying
    } finally {
      await other.query('ROLLBACK')
      other.release()
      await mortal.end()
    }
    expect(await row('hourly')).toEqual(before)
    expect(await readRuns(db.pool, SCHEMA)).toEqual([])
    const { look } = instance('b', { hourly })
    await look()
    await look()
    expect(await readRuns(db.pool, SCHEMA)).toHaveLength(2)
  })

  test('that was missed many times is made up for once, and its lateness is logged', async () => {
    await install({ hourly })
    await makeDue('hourly', '10 hours')
    const { look, said } = instance('a', { hourly })
    await look()
    expect(await look()).toBeGreaterThan(0)
    expect(await readRuns(db.pool, SCHEMA)).toHaveLength(2)
    expect(await row('hourly')).toMatchObject({ within_an_hour: true })
    expect(said).toMatchObject([{ level: 40, schedule: 'hourly', msg: 'schedule fired' }])
    expect(said[0]?.lateMs).toBeGreaterThan(9.9 * 3_600_000)
  })

  test('leaves out what is under way, paused or not installed, says so, and goes on with the others', async () => {
    const definition: ScheduleDefinition = { ...hourly, documents: ['city', 'gone', 'line'] }
    await install({ hourly: definition })
    const { rows } = await db.pool.query<{ id: string }>(
      `INSERT INTO "${SCHEMA}".sync_run (kind, document, requested_by) VALUES ('verify', 'city', 'me') RETURNING id`,
    )
    const id = String(rows[0]?.id)
    await makeDue('hourly')
    const { look, said } = instance('a', { hourly: definition })
    await look()
    const busy = `run ${id} is under way, a verify requested by me`
    expect(await row('hourly')).toMatchObject({
      last_runs: [
        { document: 'city', run: id, skipped: busy },
        { document: 'gone', run: null, skipped: 'it is not installed' },
        { document: 'line', skipped: null },
      ],
    })
    expect(said.map(({ msg, document, reason }) => ({ msg, document, reason }))).toEqual([
      { msg: 'schedule fired' },
      { msg: 'schedule leaves a document out', document: 'city', reason: busy },
      { msg: 'schedule leaves a document out', document: 'gone', reason: 'it is not installed' },
    ])
    expect((await readRuns(db.pool, SCHEMA)).map(({ document }) => document)).toEqual(['line', 'city'])

    await db.pool.query(`SELECT "${SCHEMA}".pause('line', 'lunch')`)
    await makeDue('hourly')
    await look()
    expect((await row('hourly'))?.last_runs).toContainEqual({
      document: 'line',
      run: null,
      skipped: 'it is paused (lunch)',
    })
  })

  test('of a backfill with an interval reaches back from the time it was due, however late it is', async () => {
    const recent: ScheduleDefinition = {
      ...hourly,
      documents: ['line'],
      since: '2 hours',
      column: 'changed_at',
    }
    await install({ recent })
    await makeDue('recent', '10 hours')
    await instance('a', { recent }).look()
    const [run] = await readRuns(db.pool, SCHEMA)
    expect(run?.options).toMatchObject({ column: 'changed_at' })
    const { rows } = await db.pool.query(
      `SELECT $1::timestamptz = last_at - interval '2 hours' AS same FROM "${SCHEMA}".sync_schedule`,
      [run?.options.since],
    )
    expect(rows).toEqual([{ same: true }])
  })

  test('that fails is said, and holds up no other', async () => {
    // As it could be installed by an older Postgres, which read it.
    const broken: ScheduleDefinition = { ...hourly, since: 'lately', column: 'changed_at' }
    await install({ broken, hourly })
    await makeDue('broken')
    await makeDue('hourly')
    const { look, said } = instance('a', { broken, hourly })
    await look()
    await look()
    expect(await readRuns(db.pool, SCHEMA)).toHaveLength(2)
    expect(said).toMatchObject([
      { level: 50, schedule: 'broken', reason: expect.stringContaining('"lately" is neither') },
      { schedule: 'hourly', msg: 'schedule fired' },
    ])
  })

  test.each<[Partial<ScheduleDefinition>, object]>([
    [
      { run: 'verify', repair: true, deep: true, sample: 5 },
      { repair: 'all', deep: true, sample: 5 },
    ],
    [{ run: 'verify', repair: 'extra' }, { repair: 'extra' }],
    [{ run: 'verify', repair: false }, {}],
    [{ run: 'reindex', keep: '24h' }, { keepMs: 86_400_000 }],
    [{ run: 'optimize', threshold: 0.1 }, { threshold: 0.1 }],
  ])('of %j asks for %j', async (definition, options) => {
    const schedule = { ...hourly, ...definition, documents: ['line'] }
    await install({ schedule })
    await makeDue('schedule')
    await instance('a', { schedule }).look()
    expect(await readRuns(db.pool, SCHEMA)).toMatchObject([{ kind: schedule.run, options }])
  })
})

describe('a definition', () => {
  test('that is not the installed one is not fired, and that is said once', async () => {
    await install({ hourly })
    await makeDue('hourly')
    const old = instance('old', { hourly: { ...hourly, run: 'verify' }, weekly: hourly })
    await old.look()
    await old.look()
    expect(await readRuns(db.pool, SCHEMA)).toEqual([])
    expect(old.said).toMatchObject([
      { schedule: 'hourly', reason: 'its definition differs from the installed one: run sluice install' },
      { schedule: 'weekly', reason: 'it is not installed: run sluice install' },
    ])
    await instance('new', { hourly }).look()
    expect(await readRuns(db.pool, SCHEMA)).toHaveLength(2)
  })

  test('that changes stays due where only the run is another, and begins anew with another time', async () => {
    await install({ hourly, weekly: hourly })
    await makeDue('hourly')
    const due = (await row('hourly'))?.next_at
    const changed: Definitions = { hourly: { ...hourly, run: 'verify' } }
    expect(await planned(changed)).toEqual({
      steps: ['change schedule hourly: verify at 0 * * * * (UTC)', 'remove schedule weekly'],
      notes: [],
      refused: [],
    })
    await install(changed)
    expect((await row('hourly'))?.next_at).toBe(due)
    expect(await row('weekly')).toBeNull()
    expect((await planned(changed)).steps).toEqual([])

    await install({ hourly: { ...hourly, cron: '30 * * * *' } })
    expect(await row('hourly')).toMatchObject({ within_an_hour: true })
  })

  test.each<[Partial<ScheduleDefinition>, string]>([
    [
      { since: '2 hours', column: 'chanegd_at' },
      'schedules.recent.column: city has no column "chanegd_at" (did you mean "changed_at"?), for city',
    ],
    [
      { documents: ['city'], since: '2 hours', column: 'name' },
      'schedules.recent.column: city.name is text; a date or a timestamp is needed, for city',
    ],
    [
      { since: 'lately', column: 'changed_at' },
      'schedules.recent.since: "lately" is neither an interval ("2 hours") nor a timestamp ("2026-01-31 12:00"), for city',
    ],
    [{ documents: ['line'], where: 'nmae = 1' }, 'schedules.recent.where: '],
  ])('%j is refused before anything is changed', async (definition, problem) => {
    const { refused } = await planned({ recent: { ...hourly, ...definition } })
    expect(refused).toEqual([expect.stringContaining(`ConfigError: ${problem}`)])
  })

  test('with a column without an index is warned of', async () => {
    const recent: ScheduleDefinition = { ...hourly, since: '2 hours', column: 'changed_at' }
    expect((await planned({ recent })).notes).toEqual([
      expect.stringContaining('schedules.recent, city: no index begins with city.changed_at'),
    ])
  })
})

describe("the database's clock", () => {
  test('set back after a firing does not bring the same time again', async () => {
    await install({ hourly })
    const { look } = instance('a', { hourly })
    // As if the clock had been ten minutes past the next full hour, and were set back to now.
    await set('hourly', `last_at = next_at, next_at = next_at + interval '1 hour'`)
    const before = await row('hourly')
    await look()
    expect(await row('hourly')).toEqual(before)
    expect(await readRuns(db.pool, SCHEMA)).toEqual([])
  })

  test('that was ahead when a schedule fired does not keep it resting until then', async () => {
    await install({ hourly })
    const { look, said } = instance('a', { hourly })
    await set(
      'hourly',
      `last_at = clock_timestamp() - interval '1 hour', next_at = next_at + interval '1 year'`,
    )
    expect(await look()).toBeLessThanOrEqual(3_600_000)
    expect(await row('hourly')).toMatchObject({ within_an_hour: true })
    expect(said).toMatchObject([{ schedule: 'hourly', msg: 'schedule is due earlier: a clock was set' }])
    expect(await readRuns(db.pool, SCHEMA)).toEqual([])
  })
})
