import { describe, expect, test } from 'vitest'
import { assertStorable } from '../../src/admin/storable.ts'

describe('what can be stored', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 'x' : [nested(levels - 1)])
  const inside = (levels: number): unknown => (levels === 0 ? 'x' : { a: inside(levels - 1) })
  test.each([
    [undefined, true],
    [{ a: ['b', 1, null, true, { c: '\u{1f600}' }] }, true],
    [nested(20), true],
    [nested(21), false],
    ['\0', false],
    ['a\ud800', false],
    ['\udc00b', false],
    [{ a: ['\0'] }, false],
    [{ '\0': 1 }, false],
    [[{ a: { 'b\ud800': 1 } }], false],
    [['a', '\0'], false],
    [{ a: 'b', c: '\0' }, false],
    [inside(20), true],
    [inside(21), false],
  ])('%j: %s', (value, storable) => {
    const look = () => assertStorable(value, 'of the body')
    if (storable) expect(look).not.toThrow()
    else expect(look).toThrow(/^something of the body cannot be stored/)
  })
})
