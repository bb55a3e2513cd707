import { describe, expect, it } from 'vitest'
import { catalogOf } from '../../src/catalog/read-catalog.ts'
import type { BaseType, Column, ParsedSnippet, Table } from '../../src/catalog/types.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { planDocument } from '../../src/documents/plan.ts'
import { snippetKey } from '../../src/documents/snippets.ts'
import { ConfigError, describeError } from '../../src/errors.ts'

const base = (name: string, more: Partial<BaseType> = {}): BaseType => ({
  name,
  schema: 'pg_catalog',
  kind: 'base',
  array: false,
  ...more,
})

const column = (name: string, type: string, more: Partial<Column> = {}): Column => ({
  name,
  type,
  baseType: base(type),
  notNull: false,
  generated: 'no',
  generatedFrom: [],
  ...more,
})

const city: Table = {
  oid: 1,
  schema: 'geo',
  name: 'city',
  kind: 'r',
  columns: [
    column('id', 'int8', { notNull: true }),
    column('name', 'text', { notNull: true }),
    column('country', 'text', { notNull: true }),
    column('code', 'text', { notNull: true }),
    column('population', 'int4'),
    column('slug', 'text', { generated: 'stored', generatedFrom: ['name'] }),
    column('size', 'text', { generated: 'virtual', generatedFrom: ['population'] }),
    column('score', 'float8', { notNull: true }),
  ],
  primaryKey: ['id'],
  uniqueKeys: [['id'], ['country', 'code'], ['score']],
  indexes: [],
  foreignKeys: [],
  leaves: [],
  inherits: false,
  partitionOf: null,
  unlogged: false,
  rowSecurity: false,
  subscribed: false,
  estimatedRows: null,
  comment: null,
}

const active: ParsedSnippet = {
  sql: 'population > 0',
  columns: ['population'],
  type: 'boolean',
  baseType: base('bool'),
  dependsOnTime: false,
  warnings: [],
}
const age: ParsedSnippet = {
  ...active,
  sql: 'age()',
  columns: [],
  type: 'interval',
  baseType: base('interval'),
  dependsOnTime: true,
}
const snippets = new Map(
  [active, age].map((snippet) => [snippetKey({ table: 'geo.city', sql: snippet.sql }), snippet]),
)

function plan(
  definition: Partial<DocumentDefinition> = {},
  table: Partial<Table> = {},
  more: readonly Table[] = [],
) {
  const catalog = catalogOf([{ ...city, ...table }, ...more], 180000)
  const complete = { table: 'geo.city', index: 'cities', ...definition }
  return planDocument({ name: 'city', definition: complete, catalog, snippets, schema: 'sluice' })
}

/** Message and remedy of the ConfigError. */
function refusal(...input: Parameters<typeof plan>): string {
  try {
    plan(...input)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return describeError(error)
  }
  throw new Error('it was not refused')
}

describe('a plan', () => {
  it('says what the daemon has to know of its rows and of what is sent', () => {
    expect(plan()).toMatchObject({ table: { schema: 'geo', name: 'city' }, transform: false, pipeline: null })
    expect(plan()).not.toHaveProperty('tenant')
    const stated = { transform: () => null, pipeline: 'enrich', tenant: 'country' }
    expect(plan(stated)).toMatchObject({ transform: true, pipeline: 'enrich', tenant: 'country' })
  })

  it('is plain JSON', () => {
    const made = plan({ where: 'population > 0', settings: { number_of_replicas: 0 } })
    expect(JSON.parse(JSON.stringify(made))).toEqual(made)
  })

  it('takes all columns by default, and watches them without comparing', () => {
    const { columns, sources, key } = plan()
    expect(key).toEqual([{ name: 'id', type: 'pg_catalog.int8' }])
    expect(columns).toEqual({ used: city.columns.map(({ name }) => name), omitted: [] })
    expect(sources).toEqual([
      {
        source: '',
        table: { schema: 'geo', name: 'city' },
        key,
        rowKey: key,
        expansion: null,
        usedColumns: ['id', 'name', 'country', 'code', 'population', 'slug', 'score'],
        compare: false,
        capture: 'statement',
        always: false,
        leaves: [],
      },
    ])
  })

  it('compares where an UPDATE can leave the document as it is', () => {
    const { columns, sources } = plan({ fields: ['name'] })
    expect(columns).toEqual({
      used: ['id', 'name'],
      omitted: ['country', 'code', 'population', 'slug', 'size', 'score'],
    })
    expect(sources[0]).toMatchObject({ usedColumns: ['id', 'name'], compare: true })
    // A generated column cannot change alone.
    expect(plan({ omit: ['slug', 'size'] }).sources[0]?.compare).toBe(false)
  })

  it('has nothing of a column that is left out', () => {
    const { columns, mappings, viewSql } = plan({ omit: ['score', 'name'] })
    expect(columns.omitted).toEqual(['name', 'score'])
    expect(Object.keys(mappings.properties as object)).toEqual([
      'id',
      'country',
      'code',
      'population',
      'slug',
      'size',
    ])
    expect(viewSql).not.toMatch(/score|name"/)
  })

  it('may have names of 63 bytes, and such as only look alike', () => {
    const long = 'é'.repeat(31).concat('x')
    expect(plan({ fields: { [long]: 'id' } }).mappings.properties).toHaveProperty(long)
    expect(Object.keys(plan({ fields: { 'a.b': 'id', ab: 'name' } }).mappings.properties as object)).toEqual([
      'a',
      'ab',
    ])
  })

  it('has a key without a primary key, where it is stated', () => {
    expect(plan({ id: ['country', 'code'] }, { primaryKey: [] }).idParts).toBe(2)
  })

  it('watches what a virtual column is computed from, and what the condition reads', () => {
    expect(plan({ fields: ['size'] }).sources[0]?.usedColumns).toEqual(['id', 'population'])
    expect(plan({ fields: ['name'], where: 'population > 0' }).sources[0]?.usedColumns).toEqual([
      'id',
      'name',
      'population',
    ])
  })

  it('walks a key in the order of its index', () => {
    const { key, walkOrder } = plan({ id: ['code', 'country'] })
    expect(key.map(({ name }) => name)).toEqual(['code', 'country'])
    expect(walkOrder).toEqual([1, 0])
    expect(plan({ id: ['name', 'id'] }).walkOrder).toEqual([1, 0])
  })

  it('captures partitioned tables row by row', () => {
    const leaves = [{ schema: 'geo', name: 'city_1' }]
    expect(plan({}, { kind: 'p', leaves }).sources[0]).toMatchObject({ capture: 'row', leaves })
  })

  it('nests dotted names, and maps them so', () => {
    const { mappings, viewSql } = plan({ fields: { 'a.id': 'id', 'a.b.name': 'name' } })
    expect(mappings).toMatchObject({
      dynamic: 'strict',
      properties: {
        a: { properties: { id: { type: 'long' }, b: { properties: { name: { type: 'text' } } } } },
      },
    })
    expect(viewSql).toContain('AS "b"')
  })

  it('keeps tombstones for an hour, unless the settings say otherwise', () => {
    expect(plan().settings).toEqual({ 'index.gc_deletes': '1h' })
    expect(plan({ settings: { index: { gc_deletes: '2h' } } }).settings).toEqual({ 'index.gc_deletes': '2h' })
  })

  it('names its view so that it fits', () => {
    const catalog = catalogOf([city], 180000)
    const definition = { table: 'geo.city', index: 'cities' }
    const names = ['a', 'b'].map((end) => {
      const name = `${'long_'.repeat(12)}${end}`
      return planDocument({ name, definition, catalog, snippets, schema: 'sluice' }).view
    })
    expect(names.every((name) => name.length === 63)).toBe(true)
    expect(new Set(names).size).toBe(2)
  })

  it('warns of what no mark will tell', () => {
    const { warnings } = plan({ fields: { age: { sql: 'age()' } } }, { rowSecurity: true, unlogged: true })
    expect(warnings).toHaveLength(3)
    expect(warnings.join()).toContain('documents.city.fields.age: "age()" depends on the time')
    expect(warnings.join()).toMatch(/geo\.city has row-level security.*geo\.city is unlogged/)
    const mappings = { properties: { nmae: { type: 'keyword' } } }
    expect(plan({ mappings }).warnings).toEqual([
      'documents.city.mappings.properties.nmae: the document has no field "nmae" (did you mean "name"?)',
    ])
  })
})

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
    const text = refusal(...input)
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
