import { afterEach, expect, test, vi } from 'vitest'
import type { BatchStore, WorkSession } from '../../src/sync/batch-store.ts'
import { draw } from '../../src/sync/draw.ts'
import { Obstructed } from '../../src/sync/obstacle.ts'

afterEach(() => vi.useRealTimers())

test('a version that is not drawn in time is an obstacle of that document, however patient requests are', async () => {
  vi.useFakeTimers()
  const silent = { drawVersion: () => new Promise(() => {}) } as unknown as WorkSession
  const drawing = draw(silent, {} as BatchStore, 60_000)
  const failed = expect(drawing).rejects.toThrow(Obstructed)
  await vi.advanceTimersByTimeAsync(10_000)
  await failed
  await expect(drawing).rejects.toMatchObject({ obstacle: { scope: 'document', type: 'pool_exhausted' } })
})
