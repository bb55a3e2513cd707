import { describe, expect, it } from 'vitest'
import {
  compareMappings,
  missingFields,
  sameFields,
  typeConflict,
} from '../../src/capture/mapping-changes.ts'

const mappings = (properties: object, rest: object = { dynamic: 'strict' }) => ({ ...rest, properties })
const name = { type: 'text', fields: { raw: { type: 'keyword' } } }

describe('mappings of a living index', () => {
  it.each<[what: string, before: object, after: object, kind: string, detail?: unknown]>([
    ['the same', { name }, { name }, 'same'],
    ['in another order', { a: { type: 'long' }, name }, { name, a: { type: 'long' } }, 'same'],
    [
      'parameters in another order',
      { a: { type: 'text', index: false } },
      { a: { index: false, type: 'text' } },
      'same',
    ],
    ['a field less', { name, a: { type: 'long' } }, { name }, 'same'],
    ['a field more', { name }, { name, a: { type: 'long' } }, 'added', ['a']],
    [
      'a field more inside an object',
      { geo: { properties: { lat: { type: 'double' } } } },
      { geo: { properties: { lat: { type: 'double' }, lon: { type: 'double' } } } },
      'added',
      ['geo.lon'],
    ],
    ['a dotted field more', { name }, { name, 'geo.lat': { type: 'double' } }, 'added', ['geo']],
    ['another type', { name }, { name: { type: 'keyword' } }, 'incompatible', /field name would change/],
    [
      'another parameter',
      { name },
      { name: { ...name, analyzer: 'german' } },
      'incompatible',
      /field name would change/,
    ],
    [
      'another type inside an object',
      { geo: { properties: { lat: { type: 'double' } } } },
      { geo: { properties: { lat: { type: 'long' } } } },
      'incompatible',
      /field geo\.lat/,
    ],
    [
      'an object that becomes nested',
      { geo: { properties: {} } },
      { geo: { type: 'nested', properties: {} } },
      'incompatible',
      /field geo/,
    ],
  ])('%s', (_, before, after, kind, detail) => {
    const change = compareMappings(mappings(before), mappings(after))
    expect(change.kind).toBe(kind)
    if (change.kind === 'added') expect(change.fields).toEqual(detail)
    if (change.kind === 'incompatible') expect(change.problem).toMatch(detail as RegExp)
  })

  it('keep their dynamic setting', () => {
    expect(compareMappings(mappings({}), mappings({}, { dynamic: 'false' }))).toEqual({
      kind: 'incompatible',
      problem: 'the mappings would change from {"dynamic":"strict"} to {"dynamic":"false"}',
    })
  })

  it('may have any _meta', () => {
    expect(compareMappings(mappings({}), { ...mappings({}), _meta: { a: 1 } })).toEqual({ kind: 'same' })
  })
})

describe('a field that the server has from an earlier definition', () => {
  it.each<[what: string, index: object, wanted: object, conflict: RegExp | null]>([
    ['of the same type', { a: { type: 'long' } }, { a: { type: 'long' } }, null],
    [
      'of another type',
      { a: { type: 'long' } },
      { a: { type: 'text' } },
      /field a is long in the index, and would be text/,
    ],
    [
      'an object, whose type the server leaves out',
      { a: { properties: { b: { type: 'long' } } } },
      { a: { type: 'object', properties: { b: { type: 'text' } } } },
      /field a\.b is long/,
    ],
    ['none of them', { a: { type: 'long' } }, { b: { type: 'text' } }, null],
    [
      'the last of several',
      { a: { type: 'long' }, b: { type: 'long' } },
      { c: { type: 'text' }, a: { type: 'long' }, b: { type: 'text' } },
      /field b is long/,
    ],
  ])('%s', (_, index, wanted, conflict) => {
    const found = typeConflict(mappings(index), mappings(wanted))
    if (conflict === null) expect(found).toBeNull()
    else expect(found).toMatch(conflict)
  })
})

describe('what an index lacks of a definition', () => {
  it.each<[what: string, index: object, wanted: object, missing: object | null]>([
    ['nothing', { a: { type: 'long' } }, { a: { type: 'text' } }, null],
    ['a field', { a: { type: 'long' } }, { a: { type: 'text' }, b: name }, { b: name }],
    [
      'a field of an object, and of a nested one',
      { o: { properties: { a: name } }, n: { type: 'nested', properties: { a: name } } },
      { o: { properties: { b: name } }, n: { type: 'nested', properties: { a: name, b: name } } },
      { o: { properties: { b: name } }, n: { type: 'nested', properties: { b: name } } },
    ],
    ['nothing of a field that is no object', { o: name }, { o: { properties: { b: name } } }, null],
  ])('%s', (_, index, wanted, missing) => {
    expect(missingFields(mappings(index), mappings(wanted))).toEqual(
      missing === null ? null : { properties: missing },
    )
  })
})

describe('an index that was made otherwise', () => {
  const long = { type: 'long' }
  it.each<[string, object, object, boolean]>([
    ['what is stated', { name }, { name }, true],
    ['more', { name, a: long }, { name }, true],
    ['less', {}, { name }, false],
    ['another type', { name: long }, { name }, false],
    ['another parameter', { a: { ...long, index: false } }, { a: { ...long, index: true } }, false],
    ['what is stated, and more of a field', { a: { ...long, index: false } }, { a: long }, true],
    [
      'the type of an object left out',
      { o: { properties: { a: long } } },
      { o: { type: 'object', properties: { a: long } } },
      true,
    ],
    [
      'a nested one left out',
      { o: { properties: { a: long } } },
      { o: { type: 'nested', properties: { a: long } } },
      false,
    ],
    ['another field inside', { o: { properties: { a: long } } }, { o: { properties: { b: long } } }, false],
  ])('has %s', (_, index, wanted, same) => {
    expect(sameFields(mappings(index), mappings(wanted))).toBe(same)
  })

  it('has what is stated of itself, whatever _meta says', () => {
    expect(sameFields({}, {})).toBe(true)
    expect(sameFields({ dynamic: 'true' }, { dynamic: 'strict' })).toBe(false)
    expect(sameFields({ dynamic: 'strict', _meta: { a: 1 } }, { dynamic: 'strict', _meta: { a: 2 } })).toBe(
      true,
    )
  })

  it('conflicts where a field has another type, at any depth, and no type is that of an object', () => {
    expect(typeConflict({}, {})).toBeNull()
    const object = { o: { properties: { a: long } } }
    expect(
      typeConflict(mappings(object), mappings({ o: { type: 'object', properties: { a: long } } })),
    ).toBeNull()
    expect(typeConflict(mappings(object), mappings({ o: { properties: { a: { type: 'text' } } } }))).toBe(
      'field o.a is long in the index, and would be text',
    )
    expect(typeConflict(mappings(object), mappings({ o: { type: 'nested' } }))).toBe(
      'field o is object in the index, and would be nested',
    )
  })

  it('lacks what is added at any depth, with the kind of what it is added to', () => {
    expect(missingFields({}, mappings({ a: long }))).toEqual({ properties: { a: long } })
    expect(missingFields(mappings({ a: long }), {})).toBeNull()
    const nested = (properties: object) => mappings({ o: { type: 'nested', properties } })
    expect(missingFields(nested({ a: long }), nested({ a: long, b: long }))).toEqual({
      properties: { o: { type: 'nested', properties: { b: long } } },
    })
    expect(missingFields(nested({ a: long }), nested({ a: long }))).toBeNull()
    expect(missingFields(mappings({ o: long }), nested({ a: long }))).toBeNull()
  })
})
