import { describe, expect, test } from 'vitest'
import { Suspects } from '../../src/sync/suspects.ts'

const minutes = (n: number) => n * 60_000

/** Keys are letters. */
function world() {
  const clock = { now: 1_000_000_000 }
  const suspects = new Suspects(() => clock.now)
  return {
    clock,
    suspects,
    lost: (text: string) => suspects.unanswered([...text], { alone: text.length === 1 }),
    answered: (text: string) => suspects.answered([...text]),
    /** Which of these to send next, and how many. */
    next: (text: string) => {
      const { among, most } = suspects.next([...text].map((key) => ({ key })))
      return [among.map(({ key }) => key).join(''), Math.min(most, among.length)]
    },
  }
}

describe('of keys under suspicion', () => {
  test('two thirds are tried first; the rest whole where those got through', () => {
    const { lost, answered, next } = world()
    lost('abcdef')
    expect(next('abcdefxy')).toEqual(['xy', 2])
    expect(next('abcdef')).toEqual(['abcdef', 4])
    answered('abcd')
    expect(next('abcdef')).toEqual(['abcd', 4])
    expect(next('ef')).toEqual(['ef', 2])
  })

  test('two are tried one by one', () => {
    const { lost, next } = world()
    lost('ab')
    expect(next('ab')).toEqual(['ab', 1])
  })

  test('those wait that the search has passed by, until its end', () => {
    const { lost, answered, next } = world()
    lost('abcdef')
    lost('abcd')
    expect(next('abcdef')).toEqual(['abcd', 2])
    lost('ab')
    expect(next('abcdef')).toEqual(['ab', 1])
    lost('a')
    expect(next('abcdef')).toEqual(['bcdef', 5])
    answered('bcdef')
    expect(next('abcdef')).toEqual(['bcdef', 5])
  })

  test('but not where the search is elsewhere, nor when they were answered', () => {
    const { lost, answered, next } = world()
    lost('abcdef')
    lost('abcd')
    lost('xyz')
    expect(next('efxyz')).toEqual(['ef', 2])
    answered('e')
    expect(next('abcde')).toEqual(['e', 1])
  })

  test('but not for more than twenty seconds, however many steps the search takes', () => {
    const { clock, lost, next } = world()
    lost('abcdefgh')
    lost('abcdef')
    clock.now += 19_999
    lost('abc')
    expect(next('abcdefgh')).toEqual(['abc', 2])
    clock.now += 1
    expect(next('abcdefgh')).toEqual(['defgh', 5])
  })

  test('those are suspected no more that were answered, and none is when all were', () => {
    const { suspects, lost, answered, next } = world()
    expect(suspects.none).toBe(true)
    lost('abc')
    expect(suspects.none).toBe(false)
    answered('a')
    expect(next('abc')).toEqual(['a', 1])
    answered('bc')
    expect(suspects.none).toBe(true)
    expect(next('abc')).toEqual(['abc', 3])
  })

  test('nothing is known after an hour without another request that was lost', () => {
    const { clock, suspects, lost, next } = world()
    lost('ab')
    clock.now += minutes(60) - 1
    expect(next('abx')).toEqual(['x', 1])
    clock.now += 1
    expect(next('abx')).toEqual(['abx', 3])
    expect(suspects.none).toBe(true)
  })

  test('a request that holds others, too, begins a new search, and ends the one that held only the same', () => {
    const { suspects, lost, answered, next } = world()
    lost('ab')
    expect(lost('bx').first).toBe(true)
    answered('a')
    expect(next('abx')).toEqual(['a', 1])
    expect(lost('abx').first).toBe(true)
    answered('abx')
    expect(suspects.none).toBe(true)
  })

  test('the others are still suspected when one of them came into a new search', () => {
    const { lost, next } = world()
    lost('abc')
    lost('cx')
    expect(next('abcx')).toEqual(['ab', 1])
  })

  test('of two searches that end with one answer, that counts for which less got through', () => {
    const { lost, answered } = world()
    for (const [first, second] of [
      ['abcdef', 'abcd'],
      ['stuvwxyz', 'stuvwx'],
    ] as const) {
      lost(first)
      lost(second)
    }
    answered('abstu')
    expect(answered('cdvwx')).toBe(2)
  })

  test('two requests that were lost ten minutes ago without a cause say nothing of one now', () => {
    const { clock, lost, answered } = world()
    lost('ab')
    answered('ab')
    clock.now += minutes(10) - 1
    lost('xy')
    answered('y')
    expect(lost('x').guilty).toBe(false)
    clock.now += 1
    answered('z')
    lost('v')
    answered('z')
    expect(lost('v').guilty).toBe(true)
  })
})
