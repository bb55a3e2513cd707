import { describe, expect, it } from 'vitest'
import { duplicateKeys } from '../../src/config/duplicate-keys.ts'
import { milliseconds } from '../../src/config/duration.ts'
import { configError, refuse, show } from '../../src/config/problems.ts'
import { ConfigError, describeError } from '../../src/errors.ts'

const bad = { where: 'documents.city.index', what: 'got 7, expected text' }
const missing = { where: 'BATCH_SIZE', what: 'is missing', remedy: 'Set it.' }

describe('what is wrong with a configuration', () => {
  it('is one error with its place and its remedy', () => {
    const error = configError([missing], 'sluice.config.ts')
    expect(error).toBeInstanceOf(ConfigError)
    expect(describeError(error)).toBe('BATCH_SIZE: is missing\n  → Set it.')
    expect(describeError(configError([bad], null))).toBe('documents.city.index: got 7, expected text')
  })

  it('is told in one go, in the order it was found', () => {
    const lines = ':\n  documents.city.index: got 7, expected text\n  BATCH_SIZE: is missing\n    → Set it.'
    expect(configError([bad, missing], null).message).toBe(`2 problems in the settings${lines}`)
    expect(configError([bad, missing], 'a.json').message).toBe(
      `2 problems in the settings and a.json${lines}`,
    )
  })

  it('is refused, and nothing is where there is nothing', () => {
    expect(() => refuse([], null)).not.toThrow()
    expect(() => refuse([missing], null)).toThrow('BATCH_SIZE: is missing')
    expect(() => refuse([bad, missing], null)).toThrow('2 problems')
  })
})

describe('a value in a message', () => {
  const circular: Record<string, unknown> = {}
  circular.self = circular
  it.each([
    [undefined, 'nothing'],
    [null, 'null'],
    ['a', '"a"'],
    [{ a: [1] }, '{"a":[1]}'],
    [() => 1, 'a function'],
    [12n, '12n'],
    [circular, '[object Object]'],
    [Symbol('s'), 'Symbol(s)'],
    ['x'.repeat(78), `"${'x'.repeat(78)}"`],
    ['x'.repeat(79), `"${'x'.repeat(78)}…`],
  ])('%#', (value, text) => {
    expect(show(value)).toBe(text)
  })
})

describe('keys of a JSON text that occur twice', () => {
  it.each([
    ['{"a":1,"b":2}', []],
    ['{"a":1,"a":2}', ['a']],
    ['{"documents":{"city":{"table":"a"},"city":{"table":"b"}}}', ['documents.city']],
    ['{"a":{"b":1},"c":{"b":1}}', []],
    ['{"a":[{"b":1},{"b":1,"b":2}]}', ['a.1.b']],
    ['{"a":[1,[{"b":1,"b":2}],{"c":1,"c":1}]}', ['a.1.0.b', 'a.2.c']],
    // The same name, spelled otherwise.
    [String.raw`{"a":1,"\u0061":2}`, ['a']],
    // Texts that look like what they are not.
    [String.raw`{"a":"\"a\":1,","b":["a","a"],"c":"{"}`, []],
    [' { "a" : "a" , "b" : { } , "b" : [ ] } ', ['b']],
    ['["a","a"]', []],
    ['"a"', []],
  ])('in %s', (json, found) => {
    expect(duplicateKeys(json)).toEqual(found)
  })
})

describe('a length of time', () => {
  it.each([
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['0', 0],
    ['0d', 0],
    ['000', 0],
    ['999999s', 999_999_000],
    ['7', null],
    ['1234567s', null],
    ['', null],
    ['h', null],
    ['-1h', null],
    ['1 h', null],
    ['1hh', null],
    ['x1h', null],
    ['1w', null],
  ])('%j is %j ms', (text, expected) => {
    expect(milliseconds(text)).toBe(expected)
  })
})
