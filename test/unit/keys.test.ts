import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeKey, documentId, encodeKey, partsOfId } from '../../src/documents/keys.ts'

/** Text that breaks naive encodings: separators, quotes, backslashes, controls, emoji. No NUL: Postgres has none. */
const awkward = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ':',
        '%',
        '%3A',
        '%25',
        '%00',
        '"',
        '\\',
        ',',
        ', ',
        '[',
        ']',
        '\n',
        '\u0001',
        '\u007f',
        '\u2028',
        'ü',
        '🙂',
        '',
      ),
      fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
    ),
    { maxLength: 4 },
  )
  .map((pieces) => pieces.join(''))
const tuple = fc.array(awkward, { minLength: 1, maxLength: 4 })
const withNulls = fc.array(fc.option(awkward), { minLength: 2, maxLength: 4 })

describe('key tuples', () => {
  it.each([
    [['42'], '42'],
    [['["a"]'], '["a"]'],
    [['ch', '12'], '["ch", "12"]'],
    [['ch', null], '["ch", null]'],
    [['a"b\\c', '\n\u0001'], '["a\\"b\\\\c", "\\n\\u0001"]'],
  ])('%j is %s', (parts, key) => {
    expect(encodeKey(parts)).toBe(key)
    expect(decodeKey(key, parts.length)).toEqual(parts)
  })

  it('survive a round trip', () => {
    fc.assert(
      fc.property(fc.oneof(tuple, withNulls), (parts) => {
        expect(decodeKey(encodeKey(parts), parts.length)).toEqual(parts)
      }),
    )
  })

  it('differ where their parts differ', () => {
    const pair = fc.tuple(withNulls, withNulls).filter(([a, b]) => a.length === b.length)
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(encodeKey(a) === encodeKey(b)).toBe(JSON.stringify(a) === JSON.stringify(b))
      }),
    )
  })

  it.each([
    'ch',
    '["ch"]',
    '["ch", "12", "x"]',
    '["ch", 12]',
    '{"0": "ch", "1": "12"}',
    '["ch", "12"',
    '["ch","12"]',
    '[ "ch", "12"]',
    '["\\u0063h", "12"]',
  ])('%s is no key of two parts: another spelling would be taken for an absent row', (key) => {
    expect(decodeKey(key, 2)).toBeNull()
  })
})

describe('document ids', () => {
  it.each([
    [['a:b%c'], 'a:b%c'],
    [['a', 'b'], 'a:b'],
    [['a:b', 'c'], 'a%3Ab:c'],
    [['a', 'b:c'], 'a:b%3Ac'],
    [['%3A', ''], '%253A:'],
  ])('of %j is %s', (parts, id) => {
    expect(documentId(parts)).toBe(id)
    expect(partsOfId(id, parts.length)).toEqual(parts)
  })

  it('survive a round trip', () => {
    fc.assert(
      fc.property(tuple, (parts) => {
        expect(partsOfId(documentId(parts), parts.length)).toEqual(parts)
      }),
    )
  })

  it('differ where their parts differ', () => {
    const pair = fc.tuple(tuple, tuple).filter(([a, b]) => a.length === b.length)
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(documentId(a) === documentId(b)).toBe(JSON.stringify(a) === JSON.stringify(b))
      }),
    )
  })

  it.each(['a', 'a:b:c', 'a%:b', 'a%3a:b', 'a%41:b', '%00:b'])(
    '%s is the id of no row with two key columns',
    (id) => {
      expect(partsOfId(id, 2)).toBeNull()
    },
  )

  it('of a key with a null, which no row has, is the id of no row', () => {
    expect(partsOfId(documentId(['a', null]), 2)).toBeNull()
  })
})
