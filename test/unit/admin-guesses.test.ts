import { describe, expect, test } from 'vitest'
import { Guesses } from '../../src/admin/guesses.ts'

const minute = 60_000

describe('wrong tokens', () => {
  test('sixty in a minute are borne, and then none until it is over; each address for itself', () => {
    const guesses = new Guesses()
    for (let n = 0; n < 60; n += 1) {
      expect(guesses.waitSeconds('a', n)).toBe(0)
      guesses.note('a', n)
    }
    expect(guesses.waitSeconds('a', 100)).toBe(60)
    expect(guesses.waitSeconds('a', minute - 1)).toBe(1)
    expect(guesses.waitSeconds('b', 100)).toBe(0)
    expect(guesses.waitSeconds('a', minute)).toBe(0)
    guesses.note('a', minute)
    expect(guesses.waitSeconds('a', minute)).toBe(0)
  })

  test('those of the minute before do not count', () => {
    const guesses = new Guesses()
    for (let n = 0; n < 59; n += 1) guesses.note('a', 0)
    for (let n = 0; n < 59; n += 1) guesses.note('a', minute)
    expect(guesses.waitSeconds('a', minute)).toBe(0)
    guesses.note('a', 2 * minute - 1)
    expect(guesses.waitSeconds('a', 2 * minute - 1)).toBe(1)
  })

  test('an address that comes again is no longer the oldest', () => {
    const guesses = new Guesses()
    for (const address of ['first', 'second']) guesses.note(address, 0)
    for (let n = 0; n < 60; n += 1) guesses.note('first', minute)
    for (let n = 0; n < 9_999; n += 1) guesses.note(String(n), minute)
    expect(guesses.waitSeconds('first', minute)).toBe(60)
  })

  test('of ten thousand addresses the oldest is forgotten first', () => {
    const guesses = new Guesses()
    for (let n = 0; n < 60; n += 1) for (const address of ['first', 'second']) guesses.note(address, n)
    for (let n = 0; n < 9_999; n += 1) guesses.note(String(n), 100)
    expect(guesses.waitSeconds('first', 200)).toBe(0)
    expect(guesses.waitSeconds('second', 200)).toBe(60)
  })
})
