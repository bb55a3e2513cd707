import { describe, expect, test } from 'vitest'
import { ALWAYS_ALLOWED, DEFAULT_SHARE, deleteLimit } from '../../src/sync/brake.ts'
import { explains } from '../../src/sync/fold-marks.ts'
import { indexSizes } from '../../src/sync/index-sizes.ts'

describe('the limit of the mass-delete brake', () => {
  test.each([
    [0, DEFAULT_SHARE, ALWAYS_ALLOWED],
    [9_999, DEFAULT_SHARE, ALWAYS_ALLOWED],
    [50_009, DEFAULT_SHARE, 5_000],
    [50_000, 0, ALWAYS_ALLOWED],
    [50_000, 1, 50_000],
  ])('of %i documents with a share of %f is %i', (documents, share, limit) => {
    expect(deleteLimit(share, documents)).toBe(limit)
  })
})

test.each([
  ['delete', 2],
  ['insert', 1],
  ['update', 1],
  ['backfill', 1],
  ['orphan', 0],
  ['enqueue', 0],
  ['retry', 0],
] as const)('a mark of op %s explains %i', (op, level) => {
  expect(explains(op)).toBe(level)
})

describe('the size of an index', () => {
  test('is asked once a minute, by many at once', async () => {
    let asked = 0
    let now = 1_000_000
    const size = indexSizes(
      async () => ++asked,
      () => now,
    )
    expect(await Promise.all([size('a'), size('a')])).toEqual([1, 1])
    now += 59_999
    expect(await size('a')).toBe(1)
    expect(await size('b')).toBe(2)
    now += 1
    expect(await size('a')).toBe(3)
  })

  test('is asked again after a failure', async () => {
    let asked = 0
    const size = indexSizes(
      async () => {
        asked += 1
        if (asked === 1) throw new Error('away')
        return 7
      },
      () => 0,
    )
    await expect(size('a')).rejects.toThrow('away')
    expect(await size('a')).toBe(7)
  })
})
