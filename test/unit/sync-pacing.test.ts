import { expect, test } from 'vitest'
import { backoffDelay, pollDelay } from '../../src/sync/pacing.ts'

test.each([
  [1, 0, 125],
  [1, 0.999, 249.875],
  [2, 0, 250],
  [8, 0, 15_000],
  [1000, 0.5, 22_500],
])('backoff after %i failures with random %f is %f ms', (attempt, random, expected) => {
  expect(backoffDelay(attempt, random)).toBe(expected)
})

test.each([
  [50, 0, 1_010, 50],
  [50, 9_999, 1_010, 50],
  [50, 10_000, 1_000, 251],
  [50, 10_000, 1_010, 241],
  [50, 10_000, 1_249.5, 2],
  [1000, 10_000, 1_010, 1000],
])('polling at %i ms after %i idle ms waits, at %f ms, %i ms', (interval, idleMs, nowMs, expected) => {
  expect(pollDelay(interval, idleMs, nowMs)).toBe(expected)
})
