import { describe, expect, it } from 'vitest'
import { tsLiteral } from '../../src/cli/ts-literal.ts'

describe('plain data as TypeScript', () => {
  const write = (value: unknown, sqlFunction = true) => tsLiteral(value, { indent: 0, taken: 0, sqlFunction })

  it('is on one line where it fits, and means the same', () => {
    const value = { a: ['x', "it's"], 'b-c': { sql: 'lower(a)' }, n: null, t: [true, 1.5], e: {} }
    expect(write(value)).toBe(`{ a: ['x', "it's"], 'b-c': sql('lower(a)'), n: null, t: [true, 1.5], e: {} }`)
    expect(write({ ...value, left: undefined }, false)).toContain(`{ sql: 'lower(a)' }`)
  })

  it('is on several otherwise', () => {
    const long = { first: 'x'.repeat(60), rest: [{ second: 'y'.repeat(90) }, 2] }
    const text = write(long)
    expect(text.split('\n')[1]).toBe(`  first: '${'x'.repeat(60)}',`)
    expect(new Function(`return ${text}`)()).toEqual(long)
    const odd = JSON.parse('{"__proto__": {"a": 1}}')
    expect(Object.hasOwn(new Function(`return ${write(odd)}`)(), '__proto__')).toBe(true)
  })

  it('has lines of 110 columns at most, with what stands before and after', () => {
    const list = (length: number) => ['x'.repeat(length)]
    const lines = (length: number, indent: number, taken: number) =>
      tsLiteral(list(length), { indent, taken, sqlFunction: true }).split('\n')
    expect(lines(106, 0, 0)).toEqual([`['${'x'.repeat(106)}']`])
    expect(lines(107, 0, 0)).toEqual(['[', `  '${'x'.repeat(107)}',`, ']'])
    expect(lines(101, 2, 3)).toEqual([`['${'x'.repeat(101)}']`])
    expect(lines(102, 2, 3)).toEqual(['[', `    '${'x'.repeat(102)}',`, '  ]'])
    // Name, colon, blank and comma count.
    const nested = (length: number) =>
      write({ first: list(length), next: 'y'.repeat(100) })
        .split('\n')
        .filter((line) => line.trim().startsWith('first'))
    expect(nested(96)).toEqual([`  first: ['${'x'.repeat(96)}'],`])
    expect(nested(97)).toEqual(['  first: ['])
  })

  it.each<[unknown, string]>([
    [{ sql: 'a', as: 'b' }, "{ sql: 'a', as: 'b' }"],
    [{ sql: 1 }, '{ sql: 1 }'],
    [{ a1_: 1, '1a': 2, 'a.b': 3, ä: 4 }, "{ a1_: 1, '1a': 2, 'a.b': 3, 'ä': 4 }"],
    [['a\nb', 'a\rb', 'a\\b', 'a\u2028b'], String.raw`["a\nb", "a\rb", "a\\b", "a`.concat('\u2028b"]')],
    [{ a: undefined }, '{}'],
  ])('%j', (value, text) => {
    expect(write(value)).toBe(text)
    expect(write({ a: value, left: undefined })).toBe(`{ a: ${text} }`)
  })

  it('breaks a list in a list, each level two columns further in', () => {
    const long = 'x'.repeat(110)
    expect(write([[long], { sql: 'a' }], false)).toBe(`[\n  [\n    '${long}',\n  ],\n  { sql: 'a' },\n]`)
  })

  it('leaves out what is undefined on several lines, too', () => {
    const long = { first: 'x'.repeat(110), left: undefined }
    expect(write(long)).toBe(`{\n  first: '${'x'.repeat(110)}',\n}`)
  })
})
