import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkJson } from '../../src/answers/json/check.ts'
import { doctorJson } from '../../src/answers/json/doctor.ts'
import { statusJson } from '../../src/answers/json/status.ts'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'

const elasticsearch = testElasticsearch()
let database: TestDatabase
let place: Workspace

const nightly = { cron: '30 2 * * *', timezone: 'Europe/Berlin', run: 'backfill' }
const recent = { cron: '0 * * * *', run: 'backfill', since: '2 hours', column: 'changed_at' }

const write = (schedules: object) => {
  const city = { table: 'city', index: `${elasticsearch.prefix}city` }
  return place.write('sluice.config.json', JSON.stringify({ documents: { city }, schedules }))
}

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(
    'CREATE TABLE city (id int PRIMARY KEY, changed_at timestamptz); INSERT INTO city VALUES (1), (2)',
  )
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url })
})
afterAll(async () => {
  await place.remove()
  await elasticsearch.drop()
  await database.drop()
})

const status = async () => statusJson.parse((await place.json(['status'])).value)

test('a schedule that asks for a column which is not there stops install before anything changes', async () => {
  await write({ recent: { ...recent, column: 'changed' } })
  const { code, stderr } = await place.sluice(['install'])
  expect(stderr).toContain('schedules.recent.column: city has no column "changed"')
  expect(code).toBe(2)
  const { rows } = await database.pool.query("SELECT FROM pg_namespace WHERE nspname = 'sluice'")
  expect(rows).toEqual([])
})

test('install writes schedules and warns of a slow one; status tells when each is due, and that nobody fires it', async () => {
  await write({ nightly, recent })
  const { code, stderr } = await place.sluice(['install', '--no-backfill'])
  expect(stderr).toContain('schedules.recent, city: no index begins with city.changed_at')
  expect(stderr).toContain('schedule nightly: backfill at 30 2 * * * (Europe/Berlin)')
  expect(code).toBe(0)

  const { schedules } = await status()
  expect(schedules).toMatchObject([
    {
      name: 'nightly',
      run: 'backfill',
      timezone: 'Europe/Berlin',
      definition: 'installed',
      attended: false,
      // 03:00 where the clocks change that night.
      nextAtLocal: expect.stringMatching(/^\d{4}-\d\d-\d\d 0(2:30|3:00)$/),
      last: null,
    },
    { name: 'recent', timezone: 'UTC' },
  ])
  expect((await place.sluice(['status'])).stdout).toMatch(
    /^nightly +backfill +\S+ 0\d:\d0 Europe\/Berlin +\S+ 0\d:\d0 +-$/m,
  )
  const { findings } = doctorJson.parse((await place.json(['doctor'])).value)
  expect(findings.map(({ what }) => what)).toContain('schedule nightly is fired by no daemon')
})

test('a daemon makes up for what was missed while none ran; runs says who asked, status what came of it', async () => {
  await database.pool.query(
    "UPDATE sluice.sync_schedule SET next_at = clock_timestamp() - interval '3 days' WHERE name = 'nightly'",
  )
  const daemon = place.start(['run'], { SLUICE_INSTANCE: 'one' })
  const [first] = await eventually(
    async () => {
      const { schedules } = await status()
      return schedules[0]?.last?.runs[0]?.state === 'done' && schedules[0].attended ? schedules : null
    },
    { describe: daemon.output },
  )
  expect(first).toMatchObject({
    name: 'nightly',
    last: { firedBy: 'one', runs: [{ document: 'city', skipped: null }] },
  })
  const { stdout } = await place.sluice(['runs'])
  expect(stdout).toMatch(/ backfill +city +done +2 .* schedule nightly +schedule nightly was due at /)
  expect(daemon.output()).toContain('schedule fired')
  await eventually(async () =>
    expect(doctorJson.parse((await place.json(['doctor'])).value).findings).toEqual([]),
  )
})

test('a schedule that changed or went away is one for install, and check says so', async () => {
  await write({ nightly: { ...nightly, run: 'verify' } })
  expect((await status()).schedules).toMatchObject([{ definition: 'changed' }, { definition: 'missing' }])
  const { code, value } = await place.json(['check'])
  expect(checkJson.parse(value).steps).toEqual([
    { action: 'change', document: null, what: 'schedule nightly: verify at 30 2 * * * (Europe/Berlin)' },
    { action: 'remove', document: null, what: 'schedule recent' },
  ])
  expect(code).toBe(3)
  expect(await place.sluice(['install'])).toMatchObject({ code: 0, stdout: 'Installed: the schedules.\n' })
  const { schedules } = await status()
  expect(schedules).toMatchObject([
    { name: 'nightly', run: 'verify', definition: 'installed', attended: false },
  ])
})
