import { describe, expect, test } from 'vitest'
import type { Mark } from '../../src/queue/types.ts'
import { expandMarks, olderOrigin } from '../../src/sync/expand.ts'

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

describe('marks → keys', () => {
  test('a key that was marked many times is looked at once', () => {
    const { keys } = expandMarks([
      mark({ keys: ['1', '2'] }),
      mark({ keys: ['2', '3'] }),
      mark({ keys: ['1'] }),
    ])
    expect(keys.map(({ key }) => key)).toEqual(['1', '2', '3'])
  })

  test('the oldest origin and the greatest age survive', () => {
    const { keys } = expandMarks([
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
  ] as const)('of the ops %s and %s it is %s that explains most', (first, second, op) => {
    expect(expandMarks([mark({ op: first }), mark({ op: second })]).keys).toMatchObject([{ op }])
  })

  test('a mark for one index and a mark for all make a key for all', () => {
    const { keys } = expandMarks([
      mark({ target: 'a' }),
      mark({ target: null }),
      mark({ keys: ['2'], target: 'a' }),
    ])
    expect(keys.map(({ key, target }) => [key, target])).toEqual([
      ['1', null],
      ['2', 'a'],
    ])
  })

  test('marks without keys are told apart', () => {
    const truncated = mark({ keys: null, op: 'truncate' })
    expect(expandMarks([mark({}), truncated])).toMatchObject({
      keys: [{ key: '1' }],
      everything: [truncated],
    })
  })

  test.each([
    ['9', '10', '9'],
    ['10', '9', '9'],
    ['123', '124', '123'],
  ])('of the origins %s and %s the older is %s', (a, b, older) => {
    expect(olderOrigin(a, b)).toBe(older)
  })
})
