import { describe, expect, test } from 'vitest'
import { runToJson } from '../../src/answers/run-to-json.ts'
import { comparisonText, examplesText } from '../../src/cli/comparison-text.ts'
import { optimizationText, optimizedLines } from '../../src/cli/optimization-text.ts'
import { outcomeText, runsTable, runText, stillRunning } from '../../src/cli/run-text.ts'
import type { Comparison } from '../../src/runs/comparison.ts'
import { deletedShare, noneOptimized, withFailure, withIndex } from '../../src/runs/optimization.ts'
import type { Run } from '../../src/runs/types.ts'

function run(changes: Partial<Run>): Run {
  return {
    id: '7',
    kind: 'backfill',
    document: 'city',
    state: 'running',
    options: {},
    cursor: { step: 'drain', after: null, counted: 'exact', warning: null },
    origin: '5',
    truncated: false,
    requestedBy: 'ann',
    reason: null,
    worker: 'a',
    total: 1000,
    walked: 1000,
    processed: 500,
    created: 0,
    updated: 0,
    deleted: 0,
    failed: 0,
    result: null,
    error: null,
    requestedAt: '2026-01-01T00:00:00.000Z',
    startedAt: null,
    finishedAt: null,
    elapsedMs: 2000,
    ...changes,
  }
}
const requested = run({
  state: 'requested',
  cursor: null,
  worker: null,
  total: null,
  walked: 0,
  processed: 0,
  elapsedMs: null,
})
const done = run({ state: 'done', processed: 1000, finishedAt: '2026-01-01T00:00:02.000Z' })
const comparison: Comparison = {
  deep: true,
  sample: null,
  missing: 0,
  stale: 0,
  extra: 0,
  rows: 1200,
  documents: 1199,
  changing: 0,
  examples: [],
  warnings: [],
}
const size = { documents: 90, deleted: 10, bytes: 2048, segments: 1 }
const smaller = { documents: 90, deleted: 0, bytes: 1024, segments: 1 }

describe('the outcome of a run', () => {
  test.each<[string, Run]>([
    ['is requested', requested],
    ['is waiting: 500 of 1,000 (50 %) · 250/s · 2.0 s left', run({ worker: null })],
    ['is running: 500 of 1,000 (50 %) · 250/s · 2.0 s left', run({})],
    ['is cancelling: 500 of 1,000 (50 %) · 250/s · 2.0 s left', run({ state: 'cancelling', worker: null })],
    ['failed: why\nand where', run({ state: 'failed', error: 'why\nand where' })],
    ['failed: no reason was given', run({ state: 'failed' })],
    ['is done: 1,000 keys in 2.0 s (500/s)', done],
    ['is done: 1,000 keys in 2.0 s (500/s); 1,000 created, 2 failed', { ...done, created: 1000, failed: 2 }],
    ['is cancelled: 0 keys', { ...requested, state: 'cancelled', finishedAt: '2026-01-01T00:00:02.000Z' }],
    [
      'is done in 2.0 s (500/s): 1,200 rows, 1,199 documents; no differences',
      { ...done, result: { comparison } },
    ],
    [
      'is done in 2.0 s: none of 1 index needed a merge: 10.0 % of the documents are deleted ones, fewer than 20 % of each',
      {
        ...done,
        result: { optimize: withIndex(noneOptimized(0.2), 'i', { before: size, after: size }, false) },
      },
    ],
    [
      'is done: none of 0 indices needed a merge: 0.0 % of the documents are deleted ones, fewer than 20 % of each',
      { ...done, elapsedMs: null, result: { optimize: noneOptimized(0.2) } },
    ],
    // What was not come to its end is not told as if it were.
    [
      'is cancelled: 500 keys in 2.0 s (250/s)',
      run({ state: 'cancelled', result: { optimize: noneOptimized(0.2) } }),
    ],
  ])('%s', (text, of) => {
    expect(outcomeText(of)).toBe(`run 7: backfill of city ${text}`)
  })
})

describe('all about a run', () => {
  test('is little where little is known', () => {
    expect(runText(requested, undefined)).toBe(
      'run 7: backfill of city is requested\nrequested 2026-01-01 00:00:00 UTC by ann',
    )
  })

  test('is what was asked, by whom, why, when, and what it has to report', () => {
    const times = { startedAt: '2026-01-01T00:00:01.500Z', finishedAt: '2026-01-01T00:00:02.000Z' }
    const more = { ...done, ...times, options: { since: '2 hours' }, reason: 'so', error: 'a stray id' }
    expect(runText(more, 'run 6')).toBe(
      [
        outcomeText(more),
        'a stray id',
        'waits for run 6',
        'requested 2026-01-01 00:00:00 UTC by ann (so)',
        'options: {"since":"2 hours"}',
        'started 2026-01-01 00:00:01 UTC by a',
        'ended 2026-01-01 00:00:02 UTC',
      ].join('\n'),
    )
    expect(runText({ ...more, worker: null }, undefined)).toContain('started 2026-01-01 00:00:01 UTC\n')
  })

  test('says once why it failed', () => {
    expect(runText(run({ state: 'failed', error: 'why' }), undefined).match(/why/g)).toHaveLength(1)
  })

  test('ends with what it found, one by one', () => {
    const optimize = withFailure(noneOptimized(0.2), 'i', 'closed')
    const example = { kind: 'extra', index: 'i', id: '7', key: '7' } as const
    expect(runText({ ...done, result: { optimize } }, undefined)).toMatch(/\n {2}i: closed$/)
    expect(runText({ ...done, result: { comparison } }, undefined)).toMatch(/ by ann\nended [^\n]*$/)
    const found = { ...comparison, extra: 1, examples: [example] }
    expect(runText({ ...done, result: { comparison: found } }, undefined)).toMatch(/extra +7 +i$/)
  })

  test('as JSON is without what only its execution needs', () => {
    const json = runToJson(run({ result: { comparison }, options: { since: '2 hours' } }))
    expect(json).toMatchObject({
      id: '7',
      options: { since: '2 hours' },
      waitsFor: null,
      totalIsExact: true,
      result: { comparison },
    })
    expect(Object.keys(json)).not.toEqual(expect.arrayContaining(['cursor']))
    for (const hidden of ['cursor', 'origin', 'truncated']) expect(json).not.toHaveProperty(hidden)
    expect(runToJson(requested, 'run 6')).toMatchObject({
      waitsFor: 'run 6',
      totalIsExact: false,
      result: null,
    })
  })
})

describe('a table of runs', () => {
  const cells = (runs: readonly Run[], waits = new Map<string, string>()) =>
    runsTable(runs, waits)
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/))

  test('says so where there is none', () => {
    expect(runsTable([], new Map())).toBe('no runs')
  })

  test('has a line for each', () => {
    const [heads, one, two] = cells([done, requested])
    expect(heads).toEqual(['run', 'kind', 'document', 'state', 'progress', 'time', 'requested', 'by', 'note'])
    expect(one).toEqual(['7', 'backfill', 'city', 'done', '1,000', '2.0 s', '2026-01-01 00:00:00 UTC', 'ann'])
    expect(two).toEqual(['7', 'backfill', 'city', 'requested', '0', '2026-01-01 00:00:00 UTC', 'ann'])
  })

  test.each<[string, Run]>([
    ['asked for', run({ reason: 'asked for' })],
    ['a stray id', { ...done, error: 'a stray id\nand more', reason: 'asked for' }],
    ['1,200 rows, 1,199 documents; no differences', { ...done, result: { comparison }, reason: 'asked for' }],
    ['1,200 rows, 1,199 documents; no differences; odd', { ...done, result: { comparison }, error: 'odd' }],
  ])('with the note %s', (note, of) => {
    expect(cells([of])[1]?.at(-1)).toBe(note)
    expect(cells([of], new Map([['7', 'run 6']]))[1]?.at(-1)).toBe('waits for run 6')
  })
})

test('after Ctrl-C it is said what becomes of the runs that are not over', () => {
  expect(stillRunning([done, run({}), run({ id: '8', worker: null })])).toBe(
    [
      'run 7 of city goes on; sluice runs watch 7 follows it; sluice runs cancel 7 stops it',
      'run 8 of city waits for a daemon (sluice run) and goes on where it stood; sluice backfill city goes on here; sluice runs cancel 8 stops it',
    ].join('\n'),
  )
})

describe('a comparison', () => {
  test.each<[Partial<Comparison>, string]>([
    [{}, '1,200 rows, 1,199 documents; no differences'],
    [{ rows: 1, documents: 1 }, '1 row, 1 document; no differences'],
    [{ sample: 100, missing: 1 }, '1,200 rows, 1,199 documents chosen at random; 1 difference: 1 missing'],
    [
      { missing: 1, stale: 2, extra: 1000 },
      '1,200 rows, 1,199 documents; 1,003 differences: 1 missing, 2 stale, 1,000 extra',
    ],
    [
      { stale: 2, left: { missing: 0, stale: 0, extra: 0, examples: [] } },
      '1,200 rows, 1,199 documents; 2 differences: 2 stale; no differences left after the repair',
    ],
  ])('%j', (found, text) => {
    expect(comparisonText({ ...comparison, ...found })).toBe(text)
  })

  test('shows examples: of what is left, where it was repaired', () => {
    const example = { kind: 'stale', index: 'i', id: '7', key: '7' } as const
    const found = {
      ...comparison,
      stale: 1,
      examples: [{ ...example, fields: ['a', 'b.c'], note: 'held back' }],
    }
    expect(examplesText(comparison)).toBe('')
    const lines = (of: Comparison) =>
      examplesText(of)
        .split('\n')
        .map((line) => line.trim().split(/ {2,}/))
    expect(lines(found)).toEqual([
      ['id', 'index', 'fields', 'note'],
      ['stale', '7', 'i', 'a, b.c', 'held back'],
    ])
    const left = { missing: 0, stale: 1, extra: 0 }
    expect(examplesText({ ...found, left: { ...left, examples: [] } })).toBe('')
    expect(
      lines({ ...found, left: { ...left, examples: [{ ...example, id: '8', fields: [''] }] } })[1],
    ).toEqual([...['stale', '8', 'i', '(all)']])
  })
})

describe('an optimize', () => {
  const merged = withIndex(noneOptimized(0.2), 'i', { before: size, after: smaller }, true)

  test('adds up all that it looked at, and lists what was merged or failed', () => {
    const all = withFailure(withIndex(merged, 'j', { before: size, after: size }, false), 'k', 'closed')
    expect(all).toEqual({
      threshold: 0.2,
      indices: 3,
      merged: 1,
      failed: 1,
      before: { documents: 180, deleted: 20, bytes: 4096, segments: 2 },
      after: { documents: 180, deleted: 10, bytes: 3072, segments: 2 },
      changes: [
        { index: 'i', before: size, after: smaller, problem: null },
        { index: 'k', before: null, after: null, problem: 'closed' },
      ],
    })
    expect(optimizationText(all)).toBe(
      '1 of 3 indices merged: 20 deleted documents → 10, 4.0 KiB → 3.0 KiB, 2 segments → 2',
    )
    expect(optimizationText(merged)).toMatch(/^1 of 1 index merged: /)
    expect(optimizedLines(all)).toEqual([
      '  i: 10 deleted documents → 0, 2.0 KiB → 1.0 KiB, 1 segment → 1',
      '  k: closed',
    ])
  })

  test('lists a hundred of its changes, and counts the others', () => {
    let all = noneOptimized(0.2)
    for (let n = 0; n < 60; n++) {
      all = withFailure(withIndex(all, `${n}`, { before: size, after: smaller }, true), `f${n}`, 'closed')
    }
    expect([all.merged, all.failed, all.changes.length]).toEqual([60, 60, 100])
    expect(optimizedLines(all)).toHaveLength(101)
    expect(optimizedLines(all).at(-1)).toBe('  and 20 more')
  })

  test('tells the share of deleted documents', () => {
    expect(deletedShare(size)).toBe(0.1)
    expect(deletedShare({ ...size, documents: 0, deleted: 0 })).toBe(0)
  })
})
