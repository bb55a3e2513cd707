import { expect, it } from 'vitest'
import { differences } from '../../src/documents/differences.ts'

it.each([
  [{ a: 1 }, { a: 1 }, []],
  [{ a: 1, b: 2 }, { b: 2, a: 1 }, []],
  [{ a: 1 }, { a: '1' }, ['a']],
  [{ a: 1 }, {}, ['a']],
  [{}, { a: null }, ['a']],
  [{ geo: { lat: 1, lon: 2 } }, { geo: { lat: 1, lon: 3 } }, ['geo.lon']],
  [{ list: [1, 2] }, { list: [2, 1] }, ['list']],
  [{ a: { b: 1 } }, { a: [1] }, ['a']],
  [{ a: 1 }, null, ['']],
])('%j and %j differ at %j', (expected, indexed, paths) => {
  expect(differences(expected, indexed).map(({ path }) => path)).toEqual(paths)
})
