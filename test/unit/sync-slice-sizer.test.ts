import { describe, expect, test } from 'vitest'
import type { Operation } from '../../src/elasticsearch/types.ts'
import { SliceSizer } from '../../src/sync/slice-sizer.ts'

const MIB = 1024 * 1024

const operations = (count: number, bytes: number, body = Buffer.alloc(bytes)): Operation[] =>
  Array.from({ length: count }, (_, n) => ({
    kind: 'index',
    index: 'i',
    id: `${n}`,
    key: `${n}`,
    body,
  }))

/** Sizes of the first slices of a table whose documents all have this many bytes. */
function slices(count: number, bytes: number): number[] {
  const sizer = new SliceSizer()
  return Array.from({ length: count }, () => {
    const keys = sizer.keys(MIB)
    sizer.observe(keys, operations(keys, bytes))
    return keys
  })
}

describe('slices of a batch', () => {
  test('of rows of a megabyte, the first ones included, never hold more than four', () => {
    expect(Math.max(...slices(10, 1_000_000))).toBeLessThanOrEqual(4)
  })

  test('of rows beyond what a request holds are of one key', () => {
    const sizer = new SliceSizer()
    expect(sizer.keys(MIB)).toBe(4)
    sizer.observe(2, operations(2, 3 * MIB))
    expect(sizer.keys(MIB)).toBe(1)
  })

  test('shrink at once, and grow fourfold at most', () => {
    const sizer = new SliceSizer()
    sizer.observe(1, operations(1, 1024))
    expect(sizer.keys(MIB)).toBe(16)
    sizer.observe(1, operations(1, MIB / 2))
    expect(sizer.keys(MIB)).toBe(2)
  })

  test('follow nothing where nothing was loaded, and take a delete for an action line', () => {
    const sizer = new SliceSizer()
    sizer.observe(0, operations(1, MIB))
    expect(sizer.keys(MIB)).toBe(4)
    for (let n = 0; n < 20; n++) sizer.observe(1, [{ kind: 'delete' }])
    expect(sizer.keys(1200)).toBe(10)
  })

  test('of small rows grow to a whole batch within five', () => {
    expect(slices(5, 800).at(-1)).toBeGreaterThan(1_000)
  })
})
