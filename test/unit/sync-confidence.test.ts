import { describe, expect, test } from 'vitest'
import { Confidence } from '../../src/sync/confidence.ts'

/** A machine that has been up for a while. */
const clockNow = () => ({ now: 1_000_000_000 })
const confidence = (clock = clockNow()) => new Confidence(() => clock.now)

function halvedToOne(one: Confidence, keys = 1000): void {
  one.unanswered(keys)
  while (one.mostKeys > 1) one.unanswered(Math.min(keys, one.mostKeys))
}

describe('batches whose requests get no answer', () => {
  test('one is nothing; the second in a row halves, down to one key', () => {
    const one = confidence()
    const sizes = [1000]
    one.unanswered(1000)
    expect(one.mostKeys).toBe(Number.POSITIVE_INFINITY)
    while (one.mostKeys > 1) {
      one.unanswered(Math.min(1000, one.mostKeys))
      sizes.push(one.mostKeys)
    }
    expect(sizes).toEqual([1000, 500, 250, 125, 62, 31, 15, 7, 3, 1])
  })

  test('an answer doubles, up to a full batch', () => {
    const one = confidence()
    halvedToOne(one)
    for (let n = 0; n < 10; n++) one.answered(1000)
    expect(one.mostKeys).toBe(Number.POSITIVE_INFINITY)
  })

  test('half a full one is not suspicious any more once it is answered', () => {
    const one = confidence()
    one.unanswered(1000)
    one.unanswered(1000)
    expect(one.mostKeys).toBe(500)
    one.answered(1000)
    expect(one.mostKeys).toBe(Number.POSITIVE_INFINITY)
    one.unanswered(1000)
    expect(one.mostKeys).toBe(Number.POSITIVE_INFINITY)
  })

  test('under suspicion, the next one halves at once', () => {
    const one = confidence()
    one.unanswered(1000)
    one.unanswered(1000)
    one.answered(10_000)
    expect(one.mostKeys).toBe(1000)
    one.unanswered(1000)
    expect(one.mostKeys).toBe(500)
  })
})

describe('a key that is alone', () => {
  test('is not so while batches may hold more', () => {
    expect(confidence().alone).toBeNull()
  })

  test('is marked again while nothing got through: it may be the server', () => {
    const one = confidence()
    halvedToOne(one)
    expect(one.alone).toBe('mark-again')
  })

  test('is charged once something else got through', () => {
    const one = confidence()
    halvedToOne(one)
    one.answered(1000)
    one.unanswered(2)
    expect(one.alone).toBe('charge')
  })

  test('is charged for an answer of the same ten minutes', () => {
    const clock = clockNow()
    const one = confidence(clock)
    halvedToOne(one)
    one.answered(1000)
    clock.now += 9 * 60_000
    one.unanswered(2)
    expect(one.alone).toBe('charge')
  })

  test('is not charged because of an answer before anything was silent', () => {
    const one = confidence()
    one.answered(1000)
    halvedToOne(one)
    expect(one.alone).toBe('mark-again')
  })

  test('is not charged because of an answer of long ago', () => {
    const clock = clockNow()
    const one = confidence(clock)
    halvedToOne(one)
    for (let n = 0; n < 10; n++) one.answered(1000)
    clock.now += 11 * 60_000
    halvedToOne(one)
    expect(one.alone).toBe('mark-again')
  })
})
