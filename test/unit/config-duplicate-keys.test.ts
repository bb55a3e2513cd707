import { describe, expect, it } from 'vitest'
import { duplicateNames } from '../../src/config/duplicate-keys.ts'

describe('documents of one name in a module', () => {
  it('are found, and so are schedules', () => {
    const source = `export default { documents: { a }, schedules: { a: { documents: ['a', 'a'] }, b, a: c } }`
    expect(duplicateNames(source)).toEqual(['schedules.a'])
  })

  it.each([
    [`export default { documents: { city: { table: 'a' }, city: { table: 'b' } } }`],
    [`export default defineConfig({ documents: { "city": { fields: ['a'] }, 'city': b } })`],
    [`const documents = 1; export default { 'documents': { city, town: { city: 1 }, city: () => ({}) } }`],
    [`// it's\nexport default { documents: { city: a, /* } */ ...others, city: sql(\`a } \${b}\`) } }`],
    [`export default { documents: { // one\n city: a, /* another */ city /* town */ : b } }`],
    [`export default { documents: { ['town']: a, city: b, [f(1)]: c, city: d } }`],
  ])('are found in %s', (source) => {
    expect(duplicateNames(source)).toEqual(['documents.city'])
  })

  it.each([
    [`export default { documents: { city: { fields: { a: 'a', b: 'a' } }, town: { fields: { a: 'a' } } } }`],
    [`export default { documents: prod ? { city: a } : { city: b } }`],
    [`export default { documents: { ...(prod ? { city: a } : {}), city: b } }`],
    [`export default { documents: { ...city, city: b } }`],
    [`export default { documents: { city: 'city', [city]: city /* city: */ } } // city: {}, city`],
    [`export default { documents: { city: a ? city : city, town: [city, city], port: f(city, city) } }`],
    [`export default { documents: { city: a, // town, city\n town: b /* , city, town */ } }`],
    [String.raw`export default { documents: { city: "a\", city", town: 'b\', town', lake: c } }`],
    ['export default { documents: { city: `a\\`, city, b`, town: b } }'],
    [`const city = { city: 1 }; const more = { city: 2 }; export default { documents: { city } }`],
  ])('are not seen in %s', (source) => {
    expect(duplicateNames(source)).toEqual([])
  })
})
