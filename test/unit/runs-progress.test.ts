import { describe, expect, test } from 'vitest'
import { hasRoom, isDrained, lookDelay, MAX_PARKED_KEYS, timeLeft } from '../../src/runs/pacing.ts'
import { runProgress, type Sample, sampled } from '../../src/runs/progress.ts'
import type { Run } from '../../src/runs/types.ts'

const cursor = { step: 'walk', after: ['7'], counted: 'estimate', warning: null } as const

function run(changes: Partial<Run>): Run {
  return {
    id: '1',
    kind: 'backfill',
    document: 'city',
    state: 'running',
    options: {},
    cursor,
    origin: '5',
    truncated: false,
    requestedBy: 'test',
    reason: null,
    worker: 'a',
    total: 1000,
    walked: 500,
    processed: 100,
    created: 0,
    updated: 100,
    deleted: 0,
    failed: 0,
    result: null,
    error: null,
    requestedAt: '2026-01-01T00:00:00.000Z',
    startedAt: '2026-01-01T00:00:00.000Z',
    finishedAt: null,
    elapsedMs: 2000,
    ...changes,
  }
}

describe('progress', () => {
  test('of a run that nobody has taken knows nothing yet', () => {
    const requested = run({
      state: 'requested',
      cursor: null,
      total: null,
      walked: 0,
      processed: 0,
      elapsedMs: null,
    })
    expect(runProgress(requested)).toEqual({
      total: null,
      exact: false,
      done: 0,
      perSecond: null,
      remainingMs: null,
    })
  })

  test('at a single look takes the rate of its whole life', () => {
    expect(runProgress(run({}))).toEqual({
      total: 1000,
      exact: false,
      done: 100,
      perSecond: 50,
      remainingMs: 18_000,
    })
  })

  test('takes the rate of the last ten seconds, whatever was before', () => {
    let samples: readonly Sample[] = []
    for (const [elapsedMs, processed] of [
      [0, 0],
      [9_000, 400],
      [12_000, 400],
      [19_000, 500],
    ] as const) {
      samples = sampled(samples, run({ elapsedMs, processed }))
    }
    expect(samples.map(({ elapsedMs }) => elapsedMs)).toEqual([9_000, 12_000, 19_000])
    expect(runProgress(run({ elapsedMs: 19_000, processed: 500 }), samples)).toMatchObject({
      perSecond: 10,
      remainingMs: 50_000,
    })
  })

  test('says no time left while nothing moves', () => {
    const samples = [{ elapsedMs: 1000, processed: 100 }]
    expect(runProgress(run({}), samples)).toMatchObject({ perSecond: 0, remainingMs: null })
  })

  test('never shows more done than there is: an estimate grows with the walk', () => {
    expect(runProgress(run({ total: 10, walked: 500, processed: 400 }))).toMatchObject({
      total: 500,
      done: 400,
    })
  })

  test('is exact where the rows were counted', () => {
    expect(runProgress(run({ cursor: { ...cursor, counted: 'exact' } })).exact).toBe(true)
  })

  test('of a run whose rows nobody has counted yet is what was done', () => {
    expect(runProgress(run({ total: null }))).toMatchObject({
      total: null,
      done: 100,
      perSecond: 50,
      remainingMs: null,
    })
  })

  test('at its very beginning, or at a second look in the same moment, has no rate of that moment', () => {
    expect(runProgress(run({ elapsedMs: 0 }))).toMatchObject({ perSecond: null, remainingMs: null })
    expect(sampled([], run({ elapsedMs: null }))).toEqual([])
    expect(runProgress(run({}), [{ elapsedMs: 2000, processed: 100 }])).toMatchObject({ perSecond: 50 })
  })

  test('is exact once the walk is over, and complete when the run is done', () => {
    const over = run({ cursor: { ...cursor, step: 'drain' } })
    expect(runProgress(over)).toMatchObject({ exact: true, done: 100 })
    // Keys that collapsed with other marks were never counted for the run.
    const done = run({ state: 'done', processed: 990, finishedAt: '2026-01-01T00:00:02.000Z' })
    expect(runProgress(done)).toMatchObject({ done: 1000, remainingMs: 0 })
  })

  test('of a finished run takes the rate of its whole life, whatever was seen of it', () => {
    const samples = [{ elapsedMs: 1900, processed: 1000 }]
    const done = run({ state: 'done', processed: 1000, finishedAt: '2026-01-01T00:00:02.000Z' })
    expect(runProgress(done, samples)).toMatchObject({ perSecond: 500 })
  })
})

test('looks at the queue are far apart where nothing drains or looking is dear', () => {
  expect([0, 200, 400, 1_600, 4_000, 3_600_000].map((waitedMs) => lookDelay(waitedMs, 1))).toEqual([
    25, 25, 50, 200, 500, 500,
  ])
  expect(lookDelay(0, 200)).toBe(2000)
})

test('looks at the queue come closer where the end is near, by the pace so far', () => {
  const left = [
    timeLeft(20_000, 20_000, 1_000),
    timeLeft(20_000, 10_000, 1_000),
    timeLeft(20_000, 1_000, 1_900),
    timeLeft(20_000, 0, 2_000),
  ]
  expect(left).toEqual([Number.POSITIVE_INFINITY, 1_000, 100, 0])
  expect(left.map((ms) => lookDelay(1_600, 1, ms))).toEqual([200, 200, 50, 25])
  expect(lookDelay(40, 1, 1_000)).toBe(25)
  // Marks may come meanwhile: that is no pace.
  expect(timeLeft(20_000, 21_000, 1_000)).toBe(Number.POSITIVE_INFINITY)
})

describe('keys of a run that wait for a blocked index', () => {
  const standing = { state: 'running', worker: 'a', pendingMarks: 1 } as const

  test('do not stop its walk for the other indices, up to a bound', () => {
    expect(hasRoom({ ...standing, pendingKeys: 500_000, parkedKeys: 500_000 })).toBe(true)
    expect(hasRoom({ ...standing, pendingKeys: 520_000, parkedKeys: 500_000 })).toBe(false)
    const parkedKeys = MAX_PARKED_KEYS + 1
    expect(hasRoom({ ...standing, pendingKeys: parkedKeys, parkedKeys })).toBe(false)
  })

  test('keep it from being done', () => {
    expect(isDrained({ ...standing, pendingKeys: 1, parkedKeys: 1 })).toBe(false)
  })
})
