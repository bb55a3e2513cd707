import { afterEach, describe, expect, test, vi } from 'vitest'
import type { BatchStore, WorkSession } from '../../src/sync/batch-store.ts'
import { draw, draws } from '../../src/sync/draw.ts'
import { Obstructed } from '../../src/sync/obstacle.ts'

afterEach(() => vi.useRealTimers())

/** A session that draws these versions, one after the other, and where it was told to move the sequence to. */
function drawing(...versions: (bigint | Promise<bigint>)[]) {
  const raised: bigint[] = []
  const work = {
    drawVersion: async () => ({ version: await versions.shift(), server: 's' }),
    raiseVersionFloor: async (atLeast: bigint) => {
      raised.push(atLeast)
    },
  } as unknown as WorkSession
  return { work, raised }
}

describe('a version', () => {
  test('rises from one batch to the next, and each is counted', async () => {
    const store = {} as BatchStore
    expect(draws(store)).toBe(0)
    const { work, raised } = drawing(5n, 6n, 9n)
    for (const version of [5n, 6n, 9n]) expect(await draw(work, store)).toEqual({ version, server: 's' })
    expect([draws(store), draws({} as BatchStore), raised]).toEqual([3, 0, []])
  })

  test.each([5n, 4n])(
    'that went back to %d after 5 is never used: the sequence is moved up',
    async (back) => {
      const store = {} as BatchStore
      const { work, raised } = drawing(5n, back, 6n)
      await draw(work, store)
      await expect(draw(work, store)).rejects.toMatchObject({
        obstacle: {
          scope: 'postgres',
          type: 'versions_set_back',
          reason: expect.stringContaining(`went back from 5 to ${back}`),
        },
      })
      expect(raised).toEqual([6n])
      expect((await draw(work, store)).version).toBe(6n)
      // What is drawn through another store says nothing.
      expect((await draw(drawing(1n).work, {} as BatchStore)).version).toBe(1n)
    },
  )

  test('may be told after a higher one that was drawn at the same time, which counts from then on', async () => {
    const store = {} as BatchStore
    const lower = Promise.withResolvers<bigint>()
    const late = draw(drawing(lower.promise).work, store)
    await draw(drawing(7n).work, store)
    lower.resolve(6n)
    expect((await late).version).toBe(6n)
    await expect(draw(drawing(7n).work, store)).rejects.toThrow(Obstructed)
  })
})

describe('a version that is not drawn in time', () => {
  const silent = { drawVersion: () => new Promise(() => {}) } as unknown as WorkSession

  test.each([
    ['however patient requests are', 60_000, 10],
    ['by default', undefined, 10],
    ['nor where less is left', 2_000, 2],
  ])('is an obstacle of that document, %s', async (_, mostMs, seconds) => {
    vi.useFakeTimers()
    const failed = expect(draw(silent, {} as BatchStore, mostMs)).rejects.toMatchObject({
      obstacle: {
        scope: 'document',
        type: 'pool_exhausted',
        reason: expect.stringMatching(new RegExp(`within ${seconds} s: .*docs/pgbouncer\\.md`)),
      },
    })
    await vi.advanceTimersByTimeAsync(seconds * 1_000 - 1)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    await failed
  })

  test('may fail afterwards: its connection is given up, and how it ends is nobody’s business', async () => {
    vi.useFakeTimers()
    const late = Promise.withResolvers<bigint>()
    const failed = expect(draw(drawing(late.promise).work, {} as BatchStore)).rejects.toThrow(Obstructed)
    await vi.advanceTimersByTimeAsync(10_000)
    await failed
    // Unhandled, it would fail this run.
    late.reject(new Error('connection terminated'))
    await vi.advanceTimersByTimeAsync(1)
  })

  test('is waited for no longer than until it is there', async () => {
    vi.useFakeTimers()
    await draw(drawing(5n).work, {} as BatchStore)
    expect(vi.getTimerCount()).toBe(0)
  })
})
