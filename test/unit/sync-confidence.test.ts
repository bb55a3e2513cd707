import { describe, expect, test } from 'vitest'
import { Confidence } from '../../src/sync/confidence.ts'

/** A machine that has been up for a while. */
const clockNow = () => ({ now: 1_000_000_000 })
const keysOf = (text: string) => [...text].map((key) => ({ key }))

function world(clock = clockNow()) {
  const confidence = new Confidence(() => clock.now)
  return {
    clock,
    confidence,
    lost: (text: string, { busy = false } = {}) =>
      confidence.unanswered(keysOf(text), { alone: text.length === 1, busy }),
    answered: (text: string) => confidence.answered(keysOf(text)),
  }
}

describe('a request that gets no answer', () => {
  test('is given back the first time, whatever it held', () => {
    const { lost } = world()
    expect(lost('abc')).toEqual({ fate: 'give-back', moving: false })
    expect(lost('x')).toEqual({ fate: 'give-back', moving: false })
  })

  test('has its keys marked again behind the others when they were lost before', () => {
    const { lost } = world()
    lost('abc')
    expect(lost('ab')).toEqual({ fate: 'mark-again', moving: false })
  })

  test('does not make the document wait long while others are answered; a minute without one does', () => {
    const { lost, answered, clock } = world()
    lost('abcd')
    answered('x')
    clock.now += 59_999
    expect(lost('abc').moving).toBe(true)
    clock.now += 1
    expect(lost('ab').moving).toBe(false)
  })
})

describe('a key that is alone', () => {
  test('is charged once something else got through since it came under suspicion', () => {
    const { lost, answered } = world()
    lost('ax')
    answered('a')
    expect(lost('x')).toMatchObject({ fate: 'charge' })
    expect(lost('x')).toMatchObject({ fate: 'charge' })
  })

  test('is marked again while nothing got through: it may be the server', () => {
    const { lost, answered } = world()
    answered('b')
    lost('ax')
    expect(lost('x')).toMatchObject({ fate: 'mark-again' })
    expect(lost('x')).toMatchObject({ fate: 'mark-again' })
    answered('a')
    expect(lost('x')).toMatchObject({ fate: 'charge' })
  })

  test('is not charged for the first request, nor without having been alone', () => {
    const { lost, answered } = world()
    expect(lost('x')).toMatchObject({ fate: 'give-back' })
    answered('a')
    expect(lost('x')).toMatchObject({ fate: 'charge' })
    expect(lost('yz')).toMatchObject({ fate: 'give-back' })
    expect(lost('yz')).toMatchObject({ fate: 'mark-again' })
  })

  test('is not charged where the server has too much to do', () => {
    const { lost, answered } = world()
    lost('ax')
    answered('a')
    expect(lost('x', { busy: true })).toMatchObject({ fate: 'mark-again' })
  })

  test('is not charged because of an answer of more than ten minutes before its last one without', () => {
    const { lost, answered, clock } = world()
    lost('ax')
    answered('a')
    clock.now += 10 * 60_000
    expect(lost('x')).toMatchObject({ fate: 'mark-again' })
    answered('b')
    clock.now += 10 * 60_000 - 1
    expect(lost('x')).toMatchObject({ fate: 'charge' })
  })

  test('is charged for three in a row, not for one, where requests were lost that nobody was the cause of', () => {
    const { lost, answered, clock } = world()
    lost('ab')
    answered('a')
    answered('b')
    const fates = () => Array.from({ length: 7 }, () => lost('x').fate)
    lost('xy')
    answered('y')
    expect(fates()).toEqual([
      'mark-again',
      'mark-again',
      'charge',
      'mark-again',
      'mark-again',
      'charge',
      'mark-again',
    ])
    clock.now += 10 * 60_000
    answered('c')
    lost('x')
    answered('c')
    expect(lost('x').fate).toBe('charge')
  })
})

describe('a search that finds nobody', () => {
  test('limits batches to what got through at once; an answer doubles that, up to a full batch', () => {
    const { lost, answered, confidence } = world()
    lost('abcdefgh')
    lost('abcdef')
    answered('abc')
    expect(confidence.mostKeys).toBe(Number.POSITIVE_INFINITY)
    answered('def')
    expect(confidence.mostKeys).toBe(3)
    confidence.gotThrough(13)
    expect(confidence.mostKeys).toBe(6)
    confidence.gotThrough(12)
    expect(confidence.mostKeys).toBe(Number.POSITIVE_INFINITY)
  })

  test('but not after a single request, nor because of a document that was charged', () => {
    const { lost, answered, confidence } = world()
    lost('abc')
    answered('ab')
    answered('c')
    lost('defx')
    lost('dex')
    answered('de')
    while (lost('x').fate !== 'charge');
    // Its row was changed.
    answered('x')
    expect(confidence.mostKeys).toBe(Number.POSITIVE_INFINITY)
  })

  test('nor of what was one key from the beginning', () => {
    const { lost, answered, confidence } = world()
    lost('x')
    lost('x')
    answered('x')
    expect(confidence.mostKeys).toBe(Number.POSITIVE_INFINITY)
  })

  test('never to more than a search before it did', () => {
    const { lost, answered, confidence } = world()
    for (const [first, second] of [
      ['abc', 'ab'],
      ['defghijk', 'defgh'],
    ] as const) {
      lost(first)
      lost(second)
      answered(second.slice(0, -1))
      answered(second.slice(-1))
    }
    expect(confidence.mostKeys).toBe(1)
  })
})
