import { describe, expect, test } from 'vitest'
import { LAG_BOUNDS_MS } from '../../src/queue/lag-bounds.ts'
import { Tally } from '../../src/sync/tally.ts'

const done = { index: 'i', operation: 'index', outcome: 'done' } as const
const [fast = 0, slower = 0] = LAG_BOUNDS_MS
const slowest = LAG_BOUNDS_MS.at(-1) ?? 0
/** Numbers of the histogram's slots that hold something, with what they hold. */
const slots = ({ lagCounts }: Tally) => lagCounts.flatMap((count, n) => (count === 0 ? [] : [[n, count]]))

describe('outcomes added up', () => {
  test('are one entry for each index, operation and outcome', () => {
    const tally = new Tally()
    expect(tally.empty).toBe(true)
    tally.add(done, 10, 5, 1)
    tally.add(done, 20, 7, 2)
    tally.add({ ...done, index: 'j' }, 1, 1, 1)
    tally.add({ ...done, operation: 'delete' }, 0, 1, 1)
    tally.add({ ...done, outcome: 'dead' }, 1, 1, 1)
    expect(tally.empty).toBe(false)
    expect(tally.entries).toHaveLength(4)
    expect(tally.entries[0]).toEqual({ ...done, count: 2, bytes: 30, lagSumMs: 12, tookMs: 3 })
  })

  test('fall into the slot of their lag, its bound included, or the last one', () => {
    const tally = new Tally()
    for (const lag of [fast, fast + 0.5, slower, slowest, slowest + 1]) tally.add(done, 0, lag, 0)
    expect(tally.lagCounts).toHaveLength(LAG_BOUNDS_MS.length + 1)
    expect(slots(tally)).toEqual([
      [0, 1],
      [1, 2],
      [LAG_BOUNDS_MS.length - 1, 1],
      [LAG_BOUNDS_MS.length, 1],
    ])
  })

  test('have no lag while they wait', () => {
    const tally = new Tally()
    tally.add({ ...done, outcome: 'blocked' }, 0, 5, 0)
    expect(slots(tally)).toEqual([])
    expect(tally.entries).toMatchObject([{ outcome: 'blocked', count: 1, lagSumMs: 5 }])
  })

  test.each([
    ['done', true],
    ['superseded', true],
    ['retry', false],
    ['dead', false],
    ['blocked', false],
  ] as const)('of %s: Elasticsearch has something of it is %s', (outcome, any) => {
    const tally = new Tally()
    tally.add({ ...done, outcome }, 0, 0, 0)
    expect(tally.anyDone).toBe(any)
  })

  test('of which one is done are enough', () => {
    const tally = new Tally()
    tally.add({ ...done, outcome: 'dead' }, 0, 0, 0)
    tally.add(done, 0, 0, 0)
    expect(tally.anyDone).toBe(true)
  })

  test('of two tallies come together, and the one that was added stays as it was', () => {
    const all = new Tally()
    const more = new Tally()
    all.add(done, 10, fast, 1)
    all.countBatch()
    more.add(done, 20, fast, 2)
    more.add({ ...done, index: 'j' }, 5, slowest + 1, 3)
    more.countBatch()
    all.merge(more)
    more.add(done, 1, 1, 1)
    expect(all.entries).toEqual([
      { ...done, count: 2, bytes: 30, lagSumMs: 2 * fast, tookMs: 3 },
      { ...done, index: 'j', count: 1, bytes: 5, lagSumMs: slowest + 1, tookMs: 3 },
    ])
    expect([all.batches, slots(all)]).toEqual([
      2,
      [
        [0, 2],
        [LAG_BOUNDS_MS.length, 1],
      ],
    ])
  })
})
