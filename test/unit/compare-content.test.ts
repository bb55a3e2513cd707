import { describe, expect, it } from 'vitest'
import { differingFields } from '../../src/runs/compare-content.ts'

describe('two texts of a document', () => {
  it.each([
    ['{"a":1,"b":"x"}', '{ "b": "x", "a": 1 }'],
    ['{"a":"ü"}', '{"a":"\\u00fc"}'],
    ['{"a":1}', '{"a":1.0}'],
    ['{"a":1200}', '{"a":1.2E+3}'],
    ['{"a":0.010}', '{"a":1e-2}'],
    ['{"a":-0.0}', '{"a":0}'],
    ['{"a":123456789012345678901234567890}', '{"a":12345678901234567890123456789e1}'],
  ])('%s and %s say the same', (wanted, stored) => {
    expect(differingFields(wanted, stored)).toEqual([])
  })

  it.each([
    ['{"a":9007199254740993}', '{"a":9007199254740992}', ['a']],
    ['{"a":0.12345678901234567890}', '{"a":0.12345678901234567891}', ['a']],
    ['{"a":1}', '{"a":"1"}', ['a']],
    ['{"a":1}', '{"a":-1}', ['a']],
    ['{"a":null}', '{}', ['a']],
    ['{"a":"n1e0"}', '{"a":1}', ['a']],
    ['{"geo":{"lat":1,"lng":2}}', '{"geo":{"lat":1,"lng":3}}', ['geo.lng']],
    ['{"a":[1,2]}', '{"a":[2,1]}', ['a']],
    ['{"a":[{"b":1}]}', '{"a":[{"b":1.0,"c":null}]}', ['a']],
    ['{"__proto__":1}', '{}', ['__proto__']],
    ['{"a":1}', '[]', ['']],
    ['{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}', '{}', ['a', 'b', 'c', 'd', 'e']],
  ])('%s and %s differ', (wanted, stored, fields) => {
    expect(differingFields(wanted, stored)).toEqual(fields)
  })
})
