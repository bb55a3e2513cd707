import { describe, expect, test } from 'vitest'
import type { SourcePlan } from '../../src/documents/types.ts'
import type { Mark } from '../../src/queue/types.ts'
import type { Roots } from '../../src/sync/find-roots.ts'
import { foldMarks, olderOrigin } from '../../src/sync/fold-marks.ts'

const mark = (mark: Partial<Mark>): Mark => ({
  id: '1',
  source: '',
  keys: ['1'],
  op: 'update',
  origin: '100',
  target: null,
  runId: null,
  ageMs: 5,
  ...mark,
})

const source = (name: string, expands: boolean): SourcePlan => ({
  source: name,
  table: { schema: 'public', name },
  key: [],
  rowKey: [],
  expansion: expands ? { view: `links_city.${name}`, viewSql: '', links: ['text'] } : null,
  usedColumns: [],
  compare: false,
  capture: 'statement',
  always: false,
  leaves: [],
})

const sources = [
  source('', false),
  source('country', true),
  source('reviews', true),
  source('public.line', false),
]

const fold = (
  marks: readonly Mark[],
  roots: Readonly<Record<string, Readonly<Record<string, Roots>>>> = {},
  most = 2000,
) =>
  foldMarks({ sources }, marks, {
    roots: new Map(Object.entries(roots).map(([name, links]) => [name, new Map(Object.entries(links))])),
    most,
  })

describe('marks of the root table', () => {
  test('are looked at once for each key, however often it was marked', () => {
    const { keys } = fold([mark({ keys: ['1', '2'] }), mark({ keys: ['2', '3'] }), mark({ keys: ['1'] })])
    expect(keys.map(({ key }) => key)).toEqual(['1', '2', '3'])
  })

  test('leave the oldest origin and the greatest age', () => {
    const { keys } = fold([
      mark({ origin: '1000', ageMs: 1 }),
      mark({ origin: '999', ageMs: 30 }),
      mark({ origin: '5000' }),
    ])
    expect(keys).toEqual([{ key: '1', origin: '999', target: null, runId: null, ageMs: 30, op: 'update' }])
  })

  test.each([
    ['update', 'delete', 'delete'],
    ['delete', 'retry', 'delete'],
    ['orphan', 'backfill', 'backfill'],
    ['insert', 'enqueue', 'insert'],
    ['update', 'insert', 'update'],
  ] as const)('of the ops %s and %s leave %s, which explains most', (first, second, op) => {
    expect(fold([mark({ op: first }), mark({ op: second })]).keys).toMatchObject([{ op }])
  })

  test('for one index and for all make a key for all', () => {
    const { keys } = fold([mark({ target: 'a' }), mark({ target: null }), mark({ keys: ['2'], target: 'a' })])
    expect(keys.map(({ key, target }) => [key, target])).toEqual([
      ['1', null],
      ['2', 'a'],
    ])
  })

  test('for one index stay so, and a run that asked for one of them is told', () => {
    const { keys } = fold([mark({ target: 'a' }), mark({ target: 'a', runId: '3' }), mark({ target: 'a' })])
    expect(keys).toMatchObject([{ target: 'a', runId: '3' }])
    expect(fold([mark({ runId: '3' }), mark({ runId: '4' })]).keys).toMatchObject([{ runId: '3' }])
  })

  test('need no entry among the sources', () => {
    const { keys } = foldMarks({ sources: [] }, [mark({})], { roots: new Map(), most: 1 })
    expect(keys).toHaveLength(1)
  })

  test('are never too many, whatever a batch may hold', () => {
    expect(fold([mark({ keys: ['1', '2', '3'] })], {}, 1)).toMatchObject({ keys: [{}, {}, {}], large: [] })
  })
})

describe('marks of related tables', () => {
  test('become the documents that their values lead to, each once over all sources', () => {
    const marks = [
      mark({ keys: ['7'], origin: '300' }),
      mark({ source: 'country', keys: ['ch'], origin: '200', ageMs: 9 }),
      mark({ source: 'reviews', keys: ['7', '8'], origin: '400' }),
    ]
    const roots = { country: { ch: ['6', '7'] }, reviews: { '7': ['7'], '8': ['8'] } }
    expect(fold(marks, roots).keys.map(({ key, origin, ageMs }) => [key, origin, ageMs])).toEqual([
      ['7', '200', 9],
      ['6', '200', 9],
      ['8', '400', 5],
    ])
  })

  test('explain no deletion of a document by their own', () => {
    const deleted = { op: 'delete', runId: '3', target: 'x' } as const
    const { keys } = fold(
      [
        mark({ source: 'reviews', keys: ['7'], ...deleted }),
        mark({ source: 'public.line', keys: ['9'], ...deleted }),
      ],
      { reviews: { '7': ['7'] } },
    )
    expect(keys).toMatchObject([
      { key: '7', op: 'update', runId: '3', target: 'x' },
      { key: '9', op: 'update', runId: '3', target: 'x' },
    ])
  })

  test('leave a deletion of the document explained', () => {
    const { keys } = fold([mark({ source: 'reviews', keys: ['7'] }), mark({ keys: ['7'], op: 'delete' })], {
      reviews: { '7': ['7'] },
    })
    expect(keys).toMatchObject([{ key: '7', op: 'delete' }])
  })

  test('that lead nowhere are done', () => {
    expect(fold([mark({ source: 'reviews', keys: ['7'] })], { reviews: { '7': [] } })).toEqual({
      keys: [],
      everything: [],
      large: [],
    })
  })

  test('that lead to many documents by one value are large', () => {
    const us = mark({ source: 'country', keys: ['ch', 'us'] })
    const folded = fold([us, mark({ keys: ['1'] })], { country: { ch: ['6'], us: 'many' } })
    expect(folded).toMatchObject({ keys: [{ key: '1' }], large: [us] })
  })

  test('that a batch has no room for are large; keys it has already take none', () => {
    const third = mark({ source: 'country', keys: ['c'] })
    const { keys, large } = fold(
      [
        mark({ source: 'country', keys: ['a'] }),
        mark({ source: 'country', keys: ['b'] }),
        third,
        mark({ source: 'country', keys: ['a'] }),
      ],
      { country: { a: ['1', '2'], b: ['2', '3'], c: ['4'] } },
      3,
    )
    expect(keys.map(({ key }) => key)).toEqual(['1', '2', '3'])
    expect(large).toEqual([third])
  })
})

describe('what calls for a look at everything', () => {
  test.each([
    ['an emptied root table', { keys: null, op: 'truncate' }, { reason: 'truncate', truncated: true }],
    [
      'an emptied related table, which explains no deletion',
      { keys: null, op: 'truncate', source: 'reviews' },
      { reason: 'truncate of reviews', truncated: false },
    ],
    [
      'a mark for all of the root table, which explains no deletion and is no alarm',
      { keys: null, op: 'backfill' },
      { reason: 'backfill', truncated: false, alarm: false },
    ],
    ['an alarm', { keys: null, op: 'alarm', source: 'country' }, { reason: 'alarm of country', alarm: true }],
    [
      'a mark of a source that nobody knows',
      { source: 'gone', keys: ['7'] },
      { reason: 'marks of "gone", which the definition does not have' },
    ],
    [
      'a value that was not looked up',
      { source: 'reviews', keys: ['9'] },
      { reason: 'values of reviews that cannot be looked up' },
    ],
    [
      'a value of a source of which none was looked up',
      { source: 'country', keys: ['ch'] },
      { reason: 'values of country that cannot be looked up' },
    ],
    [
      'a value that cannot be looked up',
      { source: 'reviews', keys: ['7', '8'] },
      { reason: 'values of reviews that cannot be looked up' },
    ],
  ] as const)('%s', (_, given, expected) => {
    const { keys, everything, large } = fold([mark({ origin: '77', ...given })], {
      reviews: { '7': 'unreadable', '8': 'many' },
    })
    expect({ keys, large }).toEqual({ keys: [], large: [] })
    expect(everything).toEqual([expect.objectContaining({ origin: '77', ...expected })])
  })
})

test.each([
  ['9', '10', '9'],
  ['10', '9', '9'],
  ['123', '124', '123'],
])('of the origins %s and %s the older is %s', (a, b, older) => {
  expect(olderOrigin(a, b)).toBe(older)
})
