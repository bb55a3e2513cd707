import { describe, expect, it } from 'vitest'
import { compareMappings, missingFields, typeConflict } from '../../src/capture/mapping-changes.ts'

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
    expect(compareMappings(mappings({}), mappings({}, { dynamic: 'false' }))).toMatchObject({
      kind: 'incompatible',
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
