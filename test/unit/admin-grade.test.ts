import { describe, expect, test } from 'vitest'
import { type Findings, grade, THRESHOLDS } from '../../src/admin/grade.ts'
import type { Figures } from '../../src/queue/health-figures.ts'

const AT_REST: Figures = {
  lastSyncMs: null,
  pendingKeys: 0,
  pendingIsExact: true,
  oldestPendingMs: null,
  answeredLastHour: 0,
  failedLastHour: 0,
  verified: [],
  troubled: [],
}
const WELL: Findings = {
  daemon: { state: 'running', reason: null },
  figures: AT_REST,
  conditions: [],
  postgresReason: null,
  cluster: { status: 'green', unassignedShards: 0 },
  elasticsearchReason: null,
}
const graded = (findings: Partial<Findings>, figures: Partial<Figures> = {}) =>
  grade({ ...WELL, figures: { ...AT_REST, ...figures }, ...findings })
const minute = 60_000

const components = (findings: Partial<Findings>, figures: Partial<Figures> = {}) =>
  graded(findings, figures).components

describe('grade', () => {
  test('each component says what was found, in which unit, from where on it is worse, and why', () => {
    const late = { degraded: minute, critical: 10 * minute }
    const none = { degraded: null, critical: null }
    const up = { status: 'healthy', value: 'up', unit: null, threshold: { degraded: null, critical: 'down' } }
    expect(grade(WELL).components).toStrictEqual({
      daemon: {
        ...{ status: 'healthy', value: 'running', unit: null, reason: 'it is running' },
        threshold: { degraded: 'draining', critical: 'waiting' },
      },
      postgres: { ...up, reason: 'it answers' },
      elasticsearch: {
        ...{ status: 'healthy', value: 'green', unit: null, reason: 'every shard has a node' },
        threshold: { degraded: 'yellow', critical: 'red' },
      },
      lastSync: { status: 'healthy', value: null, unit: 'ms', threshold: late, reason: 'nothing waits' },
      pending: {
        ...{ status: 'healthy', value: 0, unit: 'keys', reason: 'nothing waits' },
        threshold: { degraded: 1_000_000, critical: null },
      },
      oldestPending: { status: 'healthy', value: null, unit: 'ms', threshold: late, reason: 'nothing waits' },
      errorRate: {
        ...{ status: 'healthy', value: null, unit: 'share', reason: 'nothing was sent within an hour' },
        threshold: { degraded: 0.01, critical: 0.1 },
      },
      consistency: {
        ...{ status: 'healthy', value: null, unit: 'share' },
        threshold: { degraded: 0, critical: 0.01 },
        reason: 'nothing was verified since it was written anew, or ever',
      },
      documents: {
        ...{ status: 'healthy', value: 0, unit: 'documents', threshold: { degraded: 1, critical: null } },
        reason: 'all are active and worked on, and nothing has to be looked at',
      },
    })
    const unknown = { status: 'healthy', value: null, unit: null, threshold: none }
    const away = { ...unknown, reason: 'not known: Postgres does not answer' }
    expect(grade({ ...WELL, figures: null }).components).toMatchObject({
      postgres: { ...up, status: 'critical', value: 'down', reason: 'it does not answer' },
      ...{ lastSync: away, pending: away, oldestPending: away },
      ...{ errorRate: away, consistency: away, documents: away },
    })
    expect(components({ cluster: null }).elasticsearch.reason).toBe('it does not answer')
  })

  test.each([
    [
      { oldestPendingMs: 1_000, lastSyncMs: 0 },
      'what waits is being worked off',
      'the oldest mark is 1 s old',
    ],
    [
      { oldestPendingMs: 90_000, lastSyncMs: 70_400 },
      'something waits, and nothing has gone through for 70 s',
      'the oldest mark is 90 s old',
    ],
  ])('what waits: %j', (figures, sync, oldest) => {
    const { lastSync, oldestPending } = components({}, figures)
    expect([lastSync.reason, oldestPending.reason]).toEqual([sync, oldest])
  })

  test.each([
    [1, true, '1 key waits'],
    [7, true, '7 keys wait'],
    [7, false, 'at least 7 keys wait'],
  ])('how much waits: %d, counted to the end %s', (pendingKeys, pendingIsExact, reason) => {
    expect(components({}, { pendingKeys, pendingIsExact }).pending.reason).toBe(reason)
  })

  test('what of an hour failed', () => {
    const { errorRate } = components({}, { answeredLastHour: 100, failedLastHour: 5 })
    expect(errorRate).toMatchObject({ value: 0.05, reason: '5 of 100 operations of the last hour failed' })
  })

  test('what concerns all documents', () => {
    const conditions = [{ name: 'no_worker', document: null, reason: 'none', due: true }] as const
    expect(components({ conditions }).documents.reason).toBe('all: none')
  })

  test('nothing wrong is healthy, with a reason for each component', () => {
    const { status, components } = grade(WELL)
    expect(status).toBe('healthy')
    for (const component of Object.values(components)) {
      expect(component).toMatchObject({ status: 'healthy', reason: expect.stringMatching(/./) })
    }
  })

  test.each([
    ['running', 'healthy'],
    ['waiting', 'critical'],
    ['draining', 'degraded'],
    ['stopped', 'critical'],
  ] as const)('a daemon that is %s: %s', (state, status) => {
    const health = graded({ daemon: { state, reason: 'why' } })
    expect(health.components.daemon).toMatchObject({ status, value: state, reason: `it is ${state}: why` })
    expect(health.status).toBe(status)
  })

  test.each([
    ['green', 'healthy'],
    ['yellow', 'degraded'],
    ['red', 'critical'],
  ] as const)('a cluster that is %s: %s', (colour, status) => {
    const health = graded({ cluster: { status: colour, unassignedShards: 3 } })
    expect(health.components.elasticsearch).toMatchObject({ status, value: colour })
    if (colour !== 'green') expect(health.components.elasticsearch.reason).toMatch(/^3 shards have no node: /)
    expect(health.status).toBe(status)
  })

  test.each([
    [1, '1 shard has no node: some indices cannot be read or written whole'],
    [3, '3 shards have no node: some indices cannot be read or written whole'],
  ])('how many shards: %d', (unassignedShards, reason) => {
    expect(components({ cluster: { status: 'red', unassignedShards } }).elasticsearch.reason).toBe(reason)
  })

  test('a server that does not answer is critical, and what it would have said is unknown', () => {
    const elasticsearch = graded({ cluster: null, elasticsearchReason: 'gone' })
    expect(elasticsearch.components.elasticsearch).toMatchObject({
      status: 'critical',
      value: 'down',
      reason: 'gone',
    })
    const postgres = grade({ ...WELL, figures: null, postgresReason: 'away' })
    expect(postgres.status).toBe('critical')
    expect(postgres.components.postgres).toMatchObject({ status: 'critical', value: 'down', reason: 'away' })
    expect(postgres.components.pending).toMatchObject({
      status: 'healthy',
      value: null,
      reason: 'not known: away',
    })
  })

  test.each([
    // oldest mark, last sync, grade of lastSync, grade of oldestPending
    [null, null, 'healthy', 'healthy'],
    [null, 1e9, 'healthy', 'healthy'],
    [minute - 1, null, 'healthy', 'healthy'],
    [minute, null, 'degraded', 'degraded'],
    [minute, 0, 'healthy', 'degraded'],
    [minute, minute - 1, 'healthy', 'degraded'],
    [minute, minute, 'degraded', 'degraded'],
    [10 * minute - 1, 1e9, 'degraded', 'degraded'],
    [10 * minute, 9 * minute, 'degraded', 'critical'],
    [10 * minute, 10 * minute, 'critical', 'critical'],
    [10 * minute, null, 'critical', 'critical'],
  ] as const)(
    'oldest mark %s ms, last sync %s ms ago: %s, %s',
    (oldestPendingMs, lastSyncMs, sync, oldest) => {
      const { components } = graded({}, { oldestPendingMs, lastSyncMs })
      expect(components.lastSync).toMatchObject({
        status: sync,
        value: lastSyncMs,
        threshold: THRESHOLDS.lateMs,
      })
      expect(components.oldestPending).toMatchObject({ status: oldest, value: oldestPendingMs })
    },
  )

  test.each([
    [0, 'healthy'],
    [999_999, 'healthy'],
    [1_000_000, 'degraded'],
    [1e12, 'degraded'],
  ] as const)('%d keys wait: %s', (pendingKeys, status) => {
    expect(graded({}, { pendingKeys }).components.pending).toMatchObject({ status, value: pendingKeys })
  })

  test.each([
    [0, 0, 'healthy'],
    [1000, 0, 'healthy'],
    [1000, 9, 'healthy'],
    [1000, 10, 'degraded'],
    [1000, 99, 'degraded'],
    [1000, 100, 'critical'],
    // Few failures are no emergency, however few operations there were.
    [9, 9, 'degraded'],
    [10, 10, 'critical'],
  ] as const)('of %d operations %d failed: %s', (answeredLastHour, failedLastHour, status) => {
    const { errorRate } = graded({}, { answeredLastHour, failedLastHour }).components
    expect(errorRate.status).toBe(status)
  })

  const found = (extra: number, ageMs = 0) => ({
    document: 'city',
    ageMs,
    missing: 0,
    stale: 0,
    extra,
    compared: 1000,
  })
  test.each([
    [[], 'healthy', null],
    [[found(0)], 'healthy', 0],
    [[found(1)], 'degraded', 0.001],
    [[found(9)], 'degraded', 0.009],
    [[found(10)], 'critical', 0.01],
    [[found(0), found(10), found(1)], 'critical', 0.01],
  ] as const)('verifies that found %j: %s', (verified, status, value) => {
    expect(graded({}, { verified }).components.consistency).toMatchObject({ status, value })
  })

  test.each([
    [0, 'less than a minute ago'],
    [minute, '1 minute ago'],
    [2 * minute, '2 minutes ago'],
    [119 * minute, '119 minutes ago'],
    [120 * minute, '2 hours ago'],
    [47 * 60 * minute, '47 hours ago'],
    [48 * 60 * minute, '2 days ago'],
  ])('how old the verify is: %d ms, %s', (ageMs, words) => {
    const clean = graded({}, { verified: [found(0, 0), found(0, ageMs)] }).components.consistency
    expect(clean.reason).toBe(
      `the last verify of each document left no difference; the oldest is of ${words}`,
    )
    const wrong = graded({}, { verified: [found(0, 1e12), found(2, ageMs)] }).components.consistency
    expect(wrong.reason).toBe(
      `the verify of city of ${words} left 2 differences: sluice verify city --repair`,
    )
  })

  test.each([
    ['no_worker', 'no daemon works on it: sluice run', 'no daemon works on it: sluice run'],
    ['dead_letters', '5 documents cannot be indexed', '5 documents cannot be indexed'],
    ['document_paused', 'a look', 'paused (a look)'],
    ['document_detached', 'detached', 'detached'],
  ] as const)('a document of which %s is due is degraded', (name, reason, what) => {
    const conditions = [{ name, document: 'city', reason, due: true }]
    const { status, components } = graded({ conditions }, { troubled: [{ document: 'city', what: 'said' }] })
    expect(status).toBe('degraded')
    expect(components.documents).toMatchObject({ status, value: 1, reason: `city: ${what}` })
  })

  test('what is not due yet, or has a component of its own, is no document in trouble', () => {
    const at = { document: 'city', reason: 'r' } as const
    const conditions = [
      { ...at, name: 'no_worker', due: false },
      { ...at, name: 'drift', due: true },
      { ...at, name: 'backlog_old', due: true },
    ] as const
    expect(graded({ conditions }).components.documents).toMatchObject({ status: 'healthy', value: 0 })
  })

  test('an alarm without a condition, beside conditions of another document', () => {
    const conditions = [
      { name: 'dead_letters', document: 'city', reason: 'one', due: true },
      { name: 'sending_paused', document: 'city', reason: 'two', due: true },
    ] as const
    const { documents } = graded(
      { conditions },
      { troubled: [{ document: 'shop', what: 'said' }] },
    ).components
    expect(documents).toMatchObject({ value: 2, reason: 'city: one; city: two; shop: said' })
  })

  test('the worst component counts', () => {
    const health = graded({ cluster: { status: 'yellow', unassignedShards: 1 } }, { oldestPendingMs: 1e9 })
    expect(health.status).toBe('critical')
  })
})
