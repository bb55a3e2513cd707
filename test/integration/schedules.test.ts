import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ScheduleDefinition } from '../../src/config/types.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { readRuns } from '../../src/runs/read-runs.ts'
import { eventually } from '../support/eventually.ts'
import { SCHEMA } from './runs-fixture.ts'
import { type Definitions, hourly, type SchedulesWorld, schedulesWorld } from './schedules-world.ts'

let db: SchedulesWorld

beforeAll(async () => {
  db = await schedulesWorld()
})
afterAll(() => db.drop())
beforeEach(() => db.clear())

const install = (definitions: Definitions) => db.install(definitions)
const instance: SchedulesWorld['instance'] = (...started) => db.instance(...started)
const set = (name: string, columns: string) => db.set(name, columns)
const makeDue = (name: string, ago?: string) => db.makeDue(name, ago)
const row = (name: string) => db.row(name)

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
