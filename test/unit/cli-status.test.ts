import { describe, expect, test } from 'vitest'
import type { Status } from '../../src/answers/read-status.ts'
import { statusText } from '../../src/cli/status-text.ts'

const since = '2026-01-01T00:00:00.000Z'

const worker = (instance: string): Status['workers'][number] => ({
  instance,
  alive: true,
  state: 'running',
  reason: null,
  since,
  version: '1',
  pauses: [
    { document: 'city', index: 'cities-2', type: 'index_closed_exception', reason: 'closed', since },
    { document: 'country', index: null, type: 'timeout', reason: 'no answer', since },
  ],
  startedAt: since,
  seenMsAgo: 100,
})

test('a status says once what waits, however many daemons say it: a document, or one index of it', () => {
  const text = statusText({
    documents: [],
    notInstalled: [],
    workers: [worker('a'), worker('b')],
    runs: [],
    alerts: [],
    failedRuns: [],
    schedules: [],
    schedulesNotInstalled: [],
    indices: [],
  })
  expect(text.split('\n').filter((line) => /closed|no answer/.test(line))).toEqual([
    expect.stringContaining('city: cities-2 takes no writes, its keys are parked: closed'),
    expect.stringContaining('country waits: no answer'),
  ])
})

const quiet: Status = {
  documents: [],
  notInstalled: [],
  workers: [],
  runs: [],
  alerts: [],
  failedRuns: [],
  schedules: [],
  schedulesNotInstalled: [],
  indices: [],
}
const city: Status['documents'][number] = {
  name: 'city',
  state: 'active',
  reason: null,
  alarm: null,
  definition: 'installed',
  laterColumns: [],
  attended: true,
  pendingKeys: 1200,
  parkedKeys: 34,
  blockedKeys: 0,
  keysAreExact: true,
  brake: null,
  oldestPendingMs: null,
  syncedLastMinute: 5000,
  failedLastMinute: 0,
  failureRate: 0,
  averageLagMs: 120,
  p99LagMs: 2500,
  retrying: 0,
  dead: 2,
  lastSyncedAt: null,
}
/** Lines, each cut into its cells. */
const cells = (changes: Partial<Status>) =>
  statusText({ ...quiet, ...changes })
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
const lines = (changes: Partial<Status>) => cells(changes).map((line) => line.join(' '))

describe('a status', () => {
  test('of nothing says so', () => {
    expect(lines({})).toEqual([
      'No document is installed.',
      '',
      'No daemon has been seen within an hour: sluice run',
      '',
      'No index.',
    ])
    expect(lines({ notInstalled: ['lake'] })).toContain(
      'lake is in the configuration and not installed: sluice install',
    )
  })

  test('of a document is a line of numbers, and nothing more where all is well', () => {
    const [heads, one, next] = cells({ documents: [city] })
    expect(heads).toHaveLength(9)
    expect(one).toEqual(['city', 'active', '1,234', '-', '120 ms', '2.5 s', '5,000', '0', '2'])
    expect(next).toEqual([''])
  })

  test('of a document with more keys than are counted says about how many', () => {
    const [, one] = cells({ documents: [{ ...city, pendingKeys: 1_234_567, keysAreExact: false }] })
    expect(one?.[2]).toBe('about 1,230,000')
  })

  test.each<[Partial<typeof city>, string]>([
    [{ state: 'paused', reason: 'by ann' }, 'city: by ann'],
    [{ alarm: 'the brake' }, 'city: the brake'],
    [
      { definition: 'changed' },
      'city: is not as the configuration has it: sluice install puts that into effect',
    ],
    [{ definition: 'missing' }, 'city: is installed and not in the configuration'],
    [{ attended: false }, 'city: no daemon works on it: sluice run'],
    [{ blockedKeys: 1000 }, 'city: 1,000 keys wait for an index that is blocked'],
    [
      { blockedKeys: 123_456, keysAreExact: false },
      'city: about 123,000 keys wait for an index that is blocked',
    ],
    [
      { laterColumns: [{ table: 'geo.city', columns: ['a', 'b'], places: ['documents.city'] }] },
      'city: geo.city has got a, b since the install, and documents.city takes all columns: sluice install adds them',
    ],
  ])('of a document says what is to be looked at: %j', (changes, note) => {
    expect(lines({ documents: [{ ...city, ...changes }] })[2]).toBe(note)
  })

  test('of daemons tells the one that ended from the one that vanished, and what it waits for', () => {
    const { pauses: _pauses, ...one } = worker('a')
    const workers: Status['workers'] = [
      { ...one, pauses: [], reason: 'Elasticsearch', state: 'waiting' },
      { ...one, pauses: [], alive: false, seenMsAgo: 60_000 },
      { ...one, pauses: worker('a').pauses, alive: false, state: 'stopped' },
    ]
    expect(cells({ workers }).slice(2, 7)).toEqual([
      ['daemon', 'state', 'version', 'seen', 'waits for'],
      ['a', 'waiting', '1', '100 ms ago', 'Elasticsearch (since 2026-01-01 00:00:00 UTC)'],
      ['a', 'vanished', '1', '1 min ago'],
      ['a', 'stopped', '1', '100 ms ago'],
      [''],
    ])
  })

  test('of pauses tells since when, by the first that said so', () => {
    const later = worker('b')
    const workers = [
      { ...later, pauses: later.pauses.map((pause) => ({ ...pause, since: '2026-01-02T00:00:00.000Z' })) },
      worker('a'),
    ]
    expect(lines({ workers }).filter((line) => line.includes('country waits'))).toEqual([
      'country waits: no answer (since 2026-01-01 00:00:00 UTC)',
    ])
  })

  test('of runs says how far they are, and which ones failed', () => {
    const run = { id: '7', kind: 'backfill', document: 'city', state: 'running', worker: 'a' }
    const progress = { progress: 0.5, total: 1000, processed: 500, perSecond: 100, remainingMs: 5000 }
    const failed = { id: '6', kind: 'verify', document: 'city', requestedBy: 'ann', endedAt: since } as const
    const text = lines({
      runs: [
        { ...run, ...progress, waitsFor: null },
        { ...run, ...progress, id: '8', waitsFor: 'run 7' },
      ],
      failedRuns: [
        { ...failed, error: 'why\nand where' },
        { ...failed, id: '5', error: null },
      ],
    })
    expect(text.slice(4, -1)).toEqual([
      'run 7: backfill of city is running: 500 of 1,000 (50 %) · 100/s · 5.0 s left',
      'run 8: backfill of city is running: 500 of 1,000 (50 %) · 100/s · 5.0 s left; it waits for run 7',
      '',
      'run 6: the last verify of city failed, 2026-01-01 00:00:00 UTC: why; sluice runs show 6',
      'run 5: the last verify of city failed, 2026-01-01 00:00:00 UTC: no reason was given; sluice runs show 5',
      '',
    ])
  })

  test('of alerts says each with its reason, but for what a note of its document says already', () => {
    const alert = {
      name: 'backlog_old',
      document: 'city',
      severity: 'warning',
      since,
      reason: 'too old',
    } as const
    const alerts: Status['alerts'] = [
      alert,
      { ...alert, name: 'brake_tripped', severity: 'critical', reason: 'the brake' },
      { ...alert, name: 'document_paused', document: 'lake', reason: 'by ann' },
      { ...alert, name: 'drift', document: null, reason: 'by ann' },
    ]
    const documents = [
      { ...city, alarm: 'the brake' },
      { ...city, name: 'lake', reason: 'by ann' },
    ]
    expect(lines({ alerts, documents }).slice(0, 5)).toEqual([
      'warning: backlog_old of city (since 2026-01-01 00:00:00 UTC): too old',
      'critical: brake_tripped of city (since 2026-01-01 00:00:00 UTC)',
      'warning: document_paused of lake (since 2026-01-01 00:00:00 UTC)',
      'warning: drift (since 2026-01-01 00:00:00 UTC): by ann',
      '',
    ])
  })

  test('of indices says which one is kept until when', () => {
    const index = { name: 'i', alias: 'cities', document: 'city', role: 'live', createdAt: since } as const
    const kept = { ...index, name: 'j', role: 'kept', dropAt: '2026-01-02T00:00:00.000Z' } as const
    expect(cells({ indices: [{ ...index, dropAt: null }, kept] }).slice(-3)).toEqual([
      ['index', 'alias', 'role', 'created'],
      ['i', 'cities', 'live', '2026-01-01 00:00:00 UTC'],
      ['j', 'cities', 'kept until 2026-01-02 00:00:00 UTC', '2026-01-01 00:00:00 UTC'],
    ])
  })

  test('of schedules says what became of the last time, and what nobody does', () => {
    const at = { nextAt: '2026-01-02T03:00:00.000Z', nextAtLocal: '2026-01-02 07:00', timezone: 'Asia/Dubai' }
    const nightly = { name: 'nightly', run: 'backfill', cron: '0 7 * * *', documents: null, ...at } as const
    const last = { dueAt: since, firedAt: since, firedBy: 'a' }
    const run = { document: 'city', run: '7', skipped: null, state: 'done' }
    const schedules: Status['schedules'] = [
      { ...nightly, definition: 'changed', attended: false, last: null },
      {
        ...nightly,
        ...{ name: 'hourly', definition: 'missing', attended: true },
        last: {
          ...last,
          runs: [run, run, { ...run, state: null }, { ...run, run: null, skipped: 'paused', state: null }],
        },
      },
      { ...nightly, name: 'never', definition: null, attended: true, last: { ...last, runs: [] } },
    ]
    expect(cells({ schedules, schedulesNotInstalled: ['weekly'] }).slice(4, -1)).toEqual([
      ['schedule', 'run', 'next', 'next, UTC', 'last, UTC'],
      ['nightly', 'backfill', '2026-01-02 07:00 Asia/Dubai', '2026-01-02 03:00', '-'],
      [
        ...['hourly', 'backfill', '2026-01-02 07:00 Asia/Dubai', '2026-01-02 03:00'],
        '2026-01-01 00:00: 2 done, 1 ended, 1 left out',
      ],
      [
        'never',
        'backfill',
        '2026-01-02 07:00 Asia/Dubai',
        '2026-01-02 03:00',
        '2026-01-01 00:00: no document',
      ],
      ['schedule nightly: is not as the configuration has it: sluice install puts that into effect'],
      ['schedule nightly: no daemon fires it: sluice run'],
      ['schedule hourly: is installed and not in the configuration: sluice install removes it'],
      ['schedule hourly: city was left out: paused'],
      ['schedule weekly is in the configuration and not installed: sluice install'],
      [''],
    ])
    expect(lines({ schedulesNotInstalled: ['weekly'] })).toContain(
      'schedule weekly is in the configuration and not installed: sluice install',
    )
  })
})
