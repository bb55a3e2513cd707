import { readFileSync } from 'node:fs'
import { runInThisContext } from 'node:vm'
import { describe, expect, test, vi } from 'vitest'
import type { Status } from '../../src/answers/read-status.ts'
import { schedulesText } from '../../src/cli/schedules-text.ts'
import { checkConfig } from '../../src/config/check.ts'
import { cronProblem, DEFAULT_TIMEZONE, dueAfter } from '../../src/config/cron.ts'
import { scheduleSchema } from '../../src/config/schema.ts'
import { scheduleHash } from '../../src/documents/hash.ts'

/** The next times, UTC to the minute. */
function times(cron: string, timezone: string, after: string, count: number): string[] {
  const found: string[] = []
  for (let at = new Date(after); found.length < count; found.push(at.toISOString().slice(5, 16)))
    at = dueAfter(cron, timezone, at)
  return found
}

describe('a cron expression', () => {
  test.each([
    ['0 3 * * *', 'Asia/Dubai', '2026-01-01T00:00:00Z', ['01-01T23:00', '01-02T23:00']],
    ['*/20 * * * *', 'UTC', '2026-01-01T00:59:59.900Z', ['01-01T01:00', '01-01T01:20']],
    ['0 0 * * SUN', 'UTC', '2026-01-01T00:00:00Z', ['01-04T00:00', '01-11T00:00']],
    // As in cron, either of the two days will do.
    ['0 0 13 * FRI', 'UTC', '2026-01-08T00:00:00Z', ['01-09T00:00', '01-13T00:00', '01-16T00:00']],
    ['0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', ['02-29T00:00']],
  ])('%s in %s', (cron, timezone, after, expected) => {
    expect(times(cron, timezone, after, expected.length)).toEqual(expected)
  })

  test('is read in UTC by default, whatever the host has, and with blanks around it', () => {
    vi.stubEnv('TZ', 'Asia/Dubai')
    try {
      const due = times(' 0  3 * * * ', DEFAULT_TIMEZONE, '2026-01-01T00:00:00Z', 1)
      expect([new Date('2026-01-01T00:00:00Z').getHours(), due]).toEqual([4, ['01-01T03:00']])
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test.each([
    ['0 3 * *', 'it has 4'],
    ['0 0 3 * * *', 'it has 6'],
    ['@daily', 'it has 1'],
    ['60 3 * * *', 'the minute is "60", and takes 0 to 59'],
    ['0 25 * * *', 'the hour is "25", and takes 0 to 23'],
    ['0 3 32 * *', 'the day of the month is "32", and takes 1 to 31, or L for the last'],
    ['0 3 * 13 *', 'the month is "13", and takes 1 to 12, or JAN to DEC'],
    ['0 3 * * MOO', 'the day of the week is "MOO", and takes 0 (Sunday) to 7, or SUN to SAT'],
    ['0 3 30 2 *', 'it never comes'],
  ])('%s is refused: %s', (cron, problem) => {
    expect(cronProblem(cron)).toBe(problem)
  })
})

describe('where clocks change, in Berlin', () => {
  const spring = '2026-03-28T12:00:00Z'
  const autumn = '2026-10-24T12:00:00Z'
  const berlin = (cron: string, after: string, count: number) => times(cron, 'Europe/Berlin', after, count)

  test('a fixed time that is left out comes at the first moment after the gap, that day', () => {
    // 01:00 UTC is 03:00 summer time; 02:30 summer time is 00:30 UTC.
    expect(berlin('30 2 * * *', spring, 2)).toEqual(['03-29T01:00', '03-30T00:30'])
    expect(berlin('30 2,14 * * *', spring, 3)).toEqual(['03-28T13:30', '03-29T01:00', '03-29T12:30'])
  })

  test('a fixed time that comes twice comes once, at the first of the two', () => {
    expect(berlin('30 2 * * *', autumn, 2)).toEqual(['10-25T00:30', '10-26T01:30'])
    expect(berlin('30 2,14 * * *', autumn, 3)).toEqual(['10-24T12:30', '10-25T00:30', '10-25T13:30'])
  })

  test('an interval goes on as time passes: no hour twice, none left out', () => {
    expect(berlin('0 * * * *', '2026-03-28T23:30:00Z', 3)).toEqual([
      '03-29T00:00',
      '03-29T01:00',
      '03-29T02:00',
    ])
    expect(berlin('0 * * * *', '2026-10-24T23:30:00Z', 3)).toEqual([
      '10-25T00:00',
      '10-25T01:00',
      '10-25T02:00',
    ])
  })
})

describe('the configuration of schedules', () => {
  const documents = {
    city: { table: 'city', index: 'cities', tenant: 'country' },
    line: { table: 'line', index: 'lines' },
  }
  const problemsOf = (schedules: unknown) =>
    checkConfig({ documents, schedules }).problems.map(
      ({ where, what, remedy }) => `${where}: ${what}${remedy === undefined ? '' : ` → ${remedy}`}`,
    )

  test('that is right comes back as it was written', () => {
    const schedules = {
      nightly: { cron: '0 3 * * *', timezone: 'Asia/Dubai', run: 'backfill' },
      hourly: { cron: '0 * * * *', run: 'backfill', documents: ['line'], since: '2 hours', column: 'at' },
      tenant_2: { cron: '5 4 * * 1', run: 'backfill', documents: ['city'], tenant: 'ch', where: 'active' },
      weekly: { cron: '0 4 * * 0', run: 'optimize', threshold: 0.1 },
      orphans: { cron: '0 5 * * 0', run: 'verify', repair: 'extra', sample: 1000, deep: false },
      monthly: { cron: '0 5 1 * *', run: 'reindex', keep: '24h' },
      told: { cron: ' 0  5 * * 0 ', run: 'verify', repair: false, deep: true },
    }
    expect(checkConfig({ documents, schedules })).toEqual({ value: { documents, schedules }, problems: [] })
  })

  const at = { cron: '0 3 * * *', run: 'backfill' }
  const five = 'five fields (minute, hour, day of the month, month, day of the week), such as "0 3 * * *"'
  const known =
    'Known here: cron, timezone, run, documents, since, column, where, tenant, deep, sample, repair, threshold, keep.'
  test.each<[schedules: unknown, problem: string]>([
    [[], 'schedules: got [], expected an object of schedule name → schedule'],
    [{ nightly: '0 3 * * *' }, 'schedules.nightly: got "0 3 * * *", expected a schedule: { cron, run, … }'],
    [
      { Nightly: at },
      'schedules.Nightly: got "Nightly", expected a schedule name: a lower-case letter, then lower-case letters, digits or "_", at most 40 in all',
    ],
    [{ nightly: { run: 'verify' } }, `schedules.nightly.cron: is missing, expected ${five}`],
    [
      { nightly: { ...at, cron: '0 25 * * *' } },
      `schedules.nightly.cron: got "0 25 * * *", expected ${five}; the hour is "25", and takes 0 to 23`,
    ],
    [
      { nightly: { ...at, timezone: 'Europe/Berln' } },
      'schedules.nightly.timezone: got "Europe/Berln", expected a time zone such as "Europe/Berlin" (did you mean "Europe/Berlin"?)',
    ],
    [
      { nightly: { ...at, run: 'backfil' } },
      'schedules.nightly.run: got "backfil", expected one of backfill, verify, optimize, reindex',
    ],
    [
      { nightly: { ...at, document: ['city'] } },
      `schedules.nightly.document: is not a known key (did you mean "documents"?) → ${known}`,
    ],
    [
      { nightly: { ...at, documents: ['city', 'lnie'] } },
      'schedules.nightly.documents[1]: got "lnie", expected a document of this configuration (did you mean "line"?)',
    ],
    [
      { nightly: { ...at, since: '2 hours' } },
      'schedules.nightly.column: is missing, and "since" needs it → Name the column that tells when a row changed.',
    ],
    [
      { nightly: { ...at, column: 'at' } },
      'schedules.nightly.since: is missing, and "column" needs it → Say how far back, such as "2 hours".',
    ],
    [
      { nightly: { ...at, repair: true } },
      'schedules.nightly.repair: given with run "backfill", expected with "verify" only → Remove "repair", or take run "verify".',
    ],
    [
      { weekly: { ...at, run: 'optimize', where: 'active' } },
      'schedules.weekly.where: given with run "optimize", expected with "backfill" only → Remove "where", or take run "backfill".',
    ],
    [
      { nightly: { ...at, tenant: 'ch' } },
      'schedules.nightly.tenant: given for line, which has no "tenant" → Name the documents that have one in "documents".',
    ],
    [
      { monthly: { ...at, run: 'reindex', keep: '1 day' } },
      'schedules.monthly.keep: got "1 day", expected a time such as "30m", "24h" or "7d", or "0"',
    ],
    [
      { weekly: { ...at, run: 'verify', repair: 'all' } },
      'schedules.weekly.repair: got "all", expected true, false or "extra"',
    ],
    // A mistake is told once, not again as what follows from it.
    [
      { nightly: { ...at, run: 'backfil', repair: true, since: '2 hours' } },
      'schedules.nightly.run: got "backfil", expected one of backfill, verify, optimize, reindex',
    ],
    [
      { nightly: { ...at, documents: 'city' } },
      'schedules.nightly.documents: got "city", expected a list of documents',
    ],
    [
      { nightly: { ...at, documents: ['city', 7] } },
      'schedules.nightly.documents[1]: got 7, expected a list of documents: each a text that is not empty',
    ],
    [
      { nightly: { ...at, documents: ['river'], tenant: 'ch' } },
      'schedules.nightly.documents[0]: got "river", expected a document of this configuration',
    ],
  ])('%j is refused', (schedules, problem) => {
    expect(problemsOf(schedules).join('\n')).toBe(problem)
  })

  test.each<[run: string, options: Record<string, unknown>]>([
    ['backfill', { since: '2 hours', column: 'at', where: 'active', tenant: 'ch' }],
    ['verify', { deep: true, sample: 10, repair: true }],
    ['optimize', { threshold: 0.1 }],
    ['reindex', { keep: '24h' }],
  ])('options of %s are refused with any other run', (kind, options) => {
    const others = ['backfill', 'verify', 'optimize', 'reindex'].filter((run) => run !== kind)
    for (const run of others) {
      expect(problemsOf({ nightly: { ...at, run, documents: ['city'], ...options } })).toEqual(
        Object.keys(options).map(
          (key) =>
            `schedules.nightly.${key}: given with run "${run}", expected with "${kind}" only → Remove "${key}", or take run "${kind}".`,
        ),
      )
    }
  })

  test('names all documents that have no tenant', () => {
    const config = {
      documents: { ...documents, lake: { table: 'lake', index: 'lakes' } },
      schedules: { nightly: { ...at, tenant: 'ch' } },
    }
    expect(checkConfig(config).problems).toMatchObject([
      { what: 'given for line, lake, which have no "tenant"' },
    ])
  })
})

test('the hash of a schedule does not depend on the order of keys or documents', () => {
  const one = scheduleHash({ cron: '0 3 * * *', run: 'verify', documents: ['a', 'b'] })
  expect(scheduleHash({ documents: ['b', 'a'], run: 'verify', cron: '0 3 * * *' })).toBe(one)
  expect(scheduleHash({ documents: ['b'], run: 'verify', cron: '0 3 * * *' })).not.toBe(one)
})

test('a status shows the next firing in both clocks, the last with what came of it, and what was left out', () => {
  const run = { run: '7', skipped: null, state: 'done' }
  const schedule: Status['schedules'][number] = {
    name: 'nightly',
    run: 'backfill',
    cron: '0 3 * * *',
    timezone: 'Asia/Dubai',
    documents: null,
    definition: 'installed',
    attended: true,
    nextAt: '2026-03-01T23:00:00.000Z',
    nextAtLocal: '2026-03-02 03:00',
    last: {
      dueAt: '2026-02-28T23:00:00.000Z',
      firedAt: '2026-02-28T23:00:00.400Z',
      firedBy: 'a',
      runs: [
        { ...run, document: 'city' },
        { ...run, document: 'line', skipped: 'it is paused' },
      ],
    },
  }
  const status: Status = {
    documents: [],
    notInstalled: [],
    workers: [],
    runs: [],
    alerts: [],
    failedRuns: [],
    schedules: [schedule, { ...schedule, name: 'weekly', last: null, attended: false }],
    schedulesNotInstalled: ['hourly'],
    indices: [],
  }
  expect(
    schedulesText(status)
      .join('\n')
      .split('\n')
      .map((line) => line.replace(/ {2,}/g, ' | ')),
  ).toEqual([
    'schedule | run | next | next, UTC | last, UTC',
    'nightly | backfill | 2026-03-02 03:00 Asia/Dubai | 2026-03-01 23:00 | 2026-02-28 23:00: 1 done, 1 left out',
    'weekly | backfill | 2026-03-02 03:00 Asia/Dubai | 2026-03-01 23:00 | -',
    'schedule nightly: line was left out: it is paused',
    'schedule weekly: no daemon fires it: sluice run',
    'schedule hourly is in the configuration and not installed: sluice install',
    '',
  ])
})

test('the example of docs/schedules.md is a configuration, and has every key', () => {
  const page = readFileSync(new URL('../../docs/schedules.md', import.meta.url), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
  const documents = { city: { table: 'city', index: 'cities', tenant: 'tenant_id' } }
  const config = { documents, ...runInThisContext(`({ ${example} })`) }
  const shown = new Set(
    Object.values(config.schedules).flatMap((schedule) => Object.keys(schedule as object)),
  )
  expect([...shown].sort()).toEqual(Object.keys(scheduleSchema.shape).sort())
  expect(checkConfig(config).problems).toEqual([])
})
