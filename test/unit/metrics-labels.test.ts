import { describe, expect, it } from 'vitest'
import { errorTypeLabel, labelOf, laneName } from '../../src/metrics/labels.ts'
import reasons from './elasticsearch-reasons.json' with { type: 'json' }

describe('the type of an error', () => {
  it.each([
    ['sqlstate_42P01', 'sqlstate_42'],
    ['sqlstate_22003', 'sqlstate_22'],
    ['sqlstate_XX000', 'sqlstate_XX'],
    ['sqlstate_ZZ999', 'other'],
    ['sqlstate_', 'other'],
    ['sqlstate_42P01x', 'other'],
    ['x_sqlstate_42P01', 'other'],
    ['http_429', 'http_429'],
    ['http_503', 'http_503'],
    ['http_299', 'other'],
    ['http_4290', 'other'],
    ['x_http_429', 'other'],
    ['brand_new_exception', 'other'],
    ['', 'other'],
  ])('%j is told as %s', (type, label) => {
    expect(errorTypeLabel(type)).toBe(label)
  })

  it('is told as it is where a real server has said it', () => {
    const said = reasons.flatMap(({ error }) => error?.type ?? [])
    expect(said.length).toBeGreaterThan(10)
    expect([...new Set(said)].filter((type) => errorTypeLabel(type) !== type)).toEqual([])
  })
})

it('lanes have names', () => {
  expect([0, 1, 2, 3].map(laneName)).toEqual(['interactive', 'bulk', 'parked', 'other'])
})

it('a value is a label where it is one of those known', () => {
  expect([labelOf(['a', 'b'], 'b'), labelOf(['a', 'b'], 'c')]).toEqual(['b', 'other'])
})
