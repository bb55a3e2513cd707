import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ScheduleDefinition } from '../../src/config/types.ts'
import { schedulesPart } from '../../src/runs/install-schedules.ts'
import { Schedules } from '../../src/runs/schedules.ts'
import { addDocument, type RunsFixture, runsFixture, SCHEMA } from '../integration/runs-fixture.ts'
import { eventually } from '../support/eventually.ts'
import { findFaketime, type MovedPostgres, startMovablePostgres } from '../support/servers/moved-clock.ts'

const library = await findFaketime()

const hourly: ScheduleDefinition = { cron: '0 * * * *', run: 'backfill' }
const HOUR = 3_600

/** What becomes of a schedule when the clock of Postgres' machine is set, with two daemons. Each test goes on from the one before. */
describe.skipIf(library === null)('the clock of the database is set (package libfaketime)', () => {
  let server: MovedPostgres
  let db: RunsFixture
  /** Seconds from the right time to ten past the hour that the story begins in. */
  let ten = 0

  beforeAll(async () => {
    server = await startMovablePostgres(library ?? '')
    db = await runsFixture(server.url)
    const now = Math.floor(Date.now() / 1000)
    ten = HOUR - (now % HOUR) + 600
    server.moveClock(ten)
    await db.pool.query('CREATE TABLE city (id bigint PRIMARY KEY)')
    await addDocument(db.pool, { document: 'city', key: [{ name: 'id', type: 'pg_catalog.int8' }] })
    await schedulesPart(db.pool, SCHEMA, new Map([['hourly', hourly]])).apply()
  })
  afterAll(async () => {
    await db?.drop()
    await server?.stop()
  })

  const daemons = () =>
    ['a', 'b'].map((instance) => {
      const log = pino({ level: 'silent' })
      const schedules = new Map([['hourly', hourly]])
      return new Schedules({ pool: db.pool, schema: SCHEMA, instance, log, schedules, ready: () => true })
    })

  /** Hours that the times of a schedule lie after the story's first. */
  async function stand() {
    const { rows } = await db.pool.query<{ last: number | null; next: number; clock: number }>(
      `SELECT extract(epoch FROM last_at)::float8 AS last, extract(epoch FROM next_at)::float8 AS next,
              extract(epoch FROM clock_timestamp())::float8 AS clock
         FROM "${SCHEMA}".sync_schedule`,
    )
    const { last = null, next = 0, clock = 0 } = rows[0] ?? {}
    const first = Math.floor((clock - offset) / HOUR) * HOUR
    return { last: last === null ? null : (last - first) / HOUR, next: (next - first) / HOUR }
  }

  let offset = 0
  const setClock = async (hours: number) => {
    offset = hours * HOUR
    server.moveClock(ten + offset)
  }

  /** How many runs the firings of both daemons have asked for. */
  async function fired(): Promise<number> {
    const { rowCount } = await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
    return rowCount ?? 0
  }
  async function bothLook(): Promise<number> {
    for (let round = 0; round < 3; round++) await Promise.all(daemons().map((one) => one.look()))
    return fired()
  }

  test('it is the clock of the server that moves', async () => {
    expect(await stand()).toEqual({ last: null, next: 1 })
    expect(await bothLook()).toBe(0)
  })

  test('an hour ahead: what came due is fired, once', async () => {
    await setClock(1)
    expect(await bothLook()).toBe(1)
    expect(await stand()).toEqual({ last: 1, next: 2 })
  })

  test('back again: what was fired is not fired when its time comes once more', async () => {
    await setClock(0)
    expect(await bothLook()).toBe(0)
    await setClock(1)
    expect(await bothLook()).toBe(0)
    expect(await stand()).toEqual({ last: 1, next: 2 })
    await setClock(2)
    expect(await bothLook()).toBe(1)
  })

  test('a day ahead: the 24 that were missed are caught up by one', async () => {
    await setClock(26)
    expect(await bothLook()).toBe(1)
    expect(await stand()).toEqual({ last: 3, next: 27 })
  })

  test('a day back: it does not rest for that day, and nothing is fired twice', async () => {
    await setClock(2)
    expect(await bothLook()).toBe(0)
    expect(await stand()).toEqual({ last: 3, next: 4 })
    await setClock(3)
    expect(await bothLook()).toBe(0)
    await setClock(4)
    expect(await bothLook()).toBe(1)
    expect(await stand()).toEqual({ last: 4, next: 5 })
  })

  test('daemons that run fire what came due, one of them', async () => {
    const running = daemons()
    for (const one of running) one.start()
    try {
      await setClock(9)
      await eventually(async () => expect(await stand()).toEqual({ last: 5, next: 10 }), {
        timeoutMs: 90_000,
        describe: stand,
      })
      expect(await fired()).toBe(1)
    } finally {
      await Promise.all(running.map((one) => one.stop()))
    }
  })
})
