import { describe, expect, it } from 'vitest'
import { catalogOf } from '../../src/catalog/read-catalog.ts'
import { planDocument } from '../../src/documents/plan.ts'
import { city, plan, snippets } from './planned-city.ts'
import { refusal } from './refusal.ts'

describe('a definition is refused', () => {
  const parent = { ...city, schema: 'public', name: 'place', kind: 'p' as const }
  const foreign = { ...city, name: 'city_far', kind: 'f' as const }

  it.each<[string, Parameters<typeof plan>, RegExp]>([
    [
      'unknown table',
      [{ table: 'geo.ctiy' }],
      /documents\.city\.table: there is no table "geo\.ctiy" \(did you mean "geo\.city"\?\)/,
    ],
    ['table of another schema', [{ table: 'city' }], /no table "city" \(did you mean "geo\.city"\?\)/],
    ['no table name', [{ table: 'a.b.c' }], /"a\.b\.c" is not a table name/],
    ['view', [{}, { kind: 'v' }], /geo\.city is a view.*\n.*Name the table/],
    ['materialized view', [{}, { kind: 'm' }], /is a materialized view/],
    ['foreign table', [{}, { kind: 'f' }], /is a foreign table/],
    [
      'partition',
      [{}, { partitionOf: { schema: 'public', name: 'place' } }, [parent]],
      /is a partition of place.*\n.*Name place/,
    ],
    ['inheritance', [{}, { inherits: true }], /inheritance tree/],
    [
      'foreign partition',
      [{}, { kind: 'p', leaves: [{ schema: 'geo', name: 'city_far' }] }, [foreign]],
      /foreign partition geo\.city_far/,
    ],
    [
      'table without a key',
      [{}, { primaryKey: [] }],
      /has no primary key\n.*State the key.*id: \['id'\] or id: \['country', 'code'\]/,
    ],
    [
      'table without any key',
      [{}, { primaryKey: [], uniqueKeys: [] }],
      /has no primary key\n.*unique index over columns that are NOT NULL/,
    ],
    [
      'unknown id column',
      [{ id: ['idd'] }],
      /documents\.city\.id: geo\.city has no column "idd" \(did you mean "id"\?\)/,
    ],
    ['nullable id', [{ id: ['population'] }], /population can be null.*\n.*SET NOT NULL/],
    [
      'id that is not unique',
      [{ id: ['country'] }],
      /country is not unique in geo\.city\n.*Unique there: id: \['id'\] or/,
    ],
    ['id twice', [{ id: ['id', 'id'] }], /different columns/],
    ['no id at all', [{ id: [] }], /one or more/],
    [
      'float id',
      [{ id: ['score'] }],
      /score is float8, which cannot be a key: its text depends on extra_float_digits/,
    ],
    [
      'unknown field',
      [{ fields: ['id', 'nmae'] }],
      /documents\.city\.fields\[1\]: geo\.city has no column "nmae" \(did you mean "name"\?\)/,
    ],
    [
      'unknown source',
      [{ fields: { title: 'nmae' } }],
      /documents\.city\.fields\.title: geo\.city has no column "nmae"/,
    ],
    ['unknown omit', [{ omit: ['secret'] }], /documents\.city\.omit\[0\]: .*no column "secret"/],
    ['fields and omit', [{ fields: ['id'], omit: ['name'] }], /omit: goes without "fields"/],
    ['no field left', [{ fields: [] }], /documents\.city\.fields: no field is left/],
    ['a field twice', [{ fields: ['id', 'id'] }], /"id" is there twice/],
    ['value and object', [{ fields: { 'a.b': 'id', a: 'name' } }], /"a" cannot be a value and hold "a\.b"/],
    ['empty part', [{ fields: { 'a..b': 'id' } }], /a part of it is empty/],
    ['blank part', [{ fields: { 'a. ': 'id' } }], /a part of it is empty/],
    ['reserved name', [{ fields: { _id: 'id' } }], /"_id" is a name that Elasticsearch keeps/],
    [
      'name of JavaScript',
      [{ fields: { 'a.__proto__.b': 'id' } }],
      /"a\.__proto__\.b" is a name that JavaScript keeps/,
    ],
    ['long name', [{ fields: { ['é'.repeat(32)]: 'id' } }], /63 bytes/],
    ['long name below another', [{ fields: { [`a.${'é'.repeat(32)}`]: 'id' } }], /63 bytes/],
    [
      'all columns left out',
      [{ omit: city.columns.map(({ name }) => name) }],
      /city\.omit: no field is left/,
    ],
    [
      'condition that is none',
      [{ where: 'age()' }],
      /documents\.city\.where: "age\(\)" is interval, and a condition is needed/,
    ],
  ])('%s', (_, input, expected) => {
    const text = refusal(() => plan(...input))
    expect(text).toMatch(expected)
    expect(text).toMatch(/^documents\.city\./)
    // A remedy, but where the words themselves are one.
    if (!/is there twice|different columns/.test(text)) expect(text).toMatch(/\n {2}→ \S/)
  })

  it('our own table', () => {
    const definition = { table: 'geo.city', index: 'cities' }
    const catalog = catalogOf([city], 180000)
    expect(() => planDocument({ name: 'city', definition, catalog, snippets, schema: 'geo' })).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('own tables'),
        remedy: expect.stringContaining('your application'),
      }),
    )
  })
})
