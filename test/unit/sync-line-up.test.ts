import { describe, expect, test } from 'vitest'
import type { AddressedKey } from '../../src/sync/addressed.ts'
import { isAlone, LineUp } from '../../src/sync/line-up.ts'
import { Suspects } from '../../src/sync/suspects.ts'

/** Keys of these ids, one after the other: `a`, `b`, `b'`. */
const keysOf = (text: string) =>
  text.split(' ').map((key) => ({ key, id: key.replace("'", '') }) as AddressedKey)
const textOf = (keys: readonly AddressedKey[]) => keys.map(({ key }) => key).join(' ')

const suspecting = (...keys: string[]) => {
  const suspects = new Suspects(() => 0)
  if (keys.length > 0) suspects.unanswered(keys, { alone: false })
  return suspects
}

describe('the keys of a batch', () => {
  test.each<[string, string[], string[]]>([
    ['come in slices, those of one document together', [], ['a', "b b'", 'c', 'd', 'e']],
    ['come after others where they are under suspicion', ['a', 'c'], ["b b'", 'd', 'e', 'a', 'c']],
  ])('%s; what was not taken is left, and none is lost', (_, suspected, slices) => {
    const all = "a b b' c d e"
    const lineUp = new LineUp(suspecting(...suspected), keysOf(all))
    const taken: string[] = []
    for (const expected of slices) {
      expect(textOf(lineUp.next(1))).toBe(expected)
      taken.push(...expected.split(' '))
      expect(textOf(lineUp.left)).toBe(textOf(keysOf(all).filter(({ key }) => !taken.includes(key))))
    }
    expect(lineUp.next(1)).toEqual([])
  })

  test('are as many as are asked for, and of suspects no more than tell most', () => {
    const keys = keysOf('a b c d e f g')
    expect(textOf(new LineUp(suspecting(), keys).next(4))).toBe('a b c d')
    const lineUp = new LineUp(suspecting('a', 'b', 'c'), keys)
    expect(textOf(lineUp.next(3))).toBe('d e f')
    expect(textOf(lineUp.next(3))).toBe('g')
    expect(textOf(lineUp.next(3))).toBe('a b')
  })

  test('go on behind what was taken when one comes under suspicion meanwhile', () => {
    const suspects = suspecting()
    const lineUp = new LineUp(suspects, keysOf('a b c d'))
    lineUp.next(1)
    suspects.unanswered(['b', 'x'], { alone: false })
    expect(textOf(lineUp.next(9))).toBe('c d')
    suspects.answered(['b', 'x'])
    expect(textOf(lineUp.next(9))).toBe('b')
    expect(lineUp.left).toEqual([])
  })
})

test('a slice of one document cannot be smaller', () => {
  expect(["b b'", 'b', 'a b'].map((text) => isAlone(keysOf(text)))).toEqual([true, true, false])
})
