import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ScheduleDefinition } from '../../src/config/types.ts'
import { readRuns } from '../../src/runs/read-runs.ts'
import { SCHEMA } from './runs-fixture.ts'
import { type Definitions, hourly, type SchedulesWorld, schedulesWorld } from './schedules-world.ts'

let db: SchedulesWorld

beforeAll(async () => {
  db = await schedulesWorld()
})
afterAll(() => db.drop())
beforeEach(() => db.clear())

const install = (definitions: Definitions) => db.install(definitions)
const planned = (definitions: Definitions) => db.planned(definitions)
const instance: SchedulesWorld['instance'] = (...started) => db.instance(...started)
const makeDue = (name: string, ago?: string) => db.makeDue(name, ago)
const row = (name: string) => db.row(name)

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
