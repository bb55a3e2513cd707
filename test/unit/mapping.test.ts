import { describe, expect, it } from 'vitest'
import type { BaseType } from '../../src/catalog/types.ts'
import { fieldTypeOf, knownTypes } from '../../src/documents/field-types.ts'
import { deriveMapping, planValue } from '../../src/documents/mapping.ts'
import { planMappings, unknownMappings } from '../../src/documents/plan-mappings.ts'
import { derivedRows } from './documents-page.ts'

/** What the page calls by its SQL name. */
const sqlNames: Readonly<Record<string, string>> = {
  bool: 'boolean',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  float4: 'real',
  float8: 'double precision',
  varchar: 'character varying(40)',
  bpchar: 'character(4)',
  char: '"char"',
  bit: 'bit(3)',
  varbit: 'bit varying',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
  time: 'time without time zone',
  timetz: 'time with time zone',
}
/** Named in a sentence below the table: the test server has no such extension. */
const ofExtensions = ['citext', 'ltree', 'hstore', 'geometry', 'geography']

const base = (name: string, more: Partial<BaseType> = {}): BaseType => ({
  name,
  schema: 'pg_catalog',
  kind: 'base',
  array: false,
  ...more,
})

describe('docs/mappings.md', () => {
  it('has a row for every type that the code knows', () => {
    const onPage = new Set(derivedRows.map(({ type }) => type))
    const missing = knownTypes.filter(
      (name) => !ofExtensions.includes(name) && !onPage.has(sqlNames[name] ?? name),
    )
    expect(missing).toEqual([])
  })

  it('shows the mapping that is derived, of nothing but known types and these', () => {
    const names = new Map(Object.entries(sqlNames).map(([name, type]) => [type, name]))
    const others: string[] = []
    for (const { type, field } of derivedRows) {
      const name = names.get(type) ?? type
      if (!knownTypes.includes(name)) others.push(type)
      else expect(JSON.stringify(fieldTypeOf(base(name)).mapping), type).toBe(field)
    }
    expect(others).toEqual([
      ...['numeric(18,0)', 'numeric(12,2)', 'an enum', 'a composite type', 'anything else'],
    ])
  })

  it('means types of Postgres, and enums and composites of any schema', () => {
    const fieldOf = (type: BaseType) => JSON.stringify(fieldTypeOf(type).mapping)
    const shown = (type: string) => derivedRows.find((row) => row.type === type)?.field
    const other = shown('anything else')
    expect(fieldOf(base('mood', { schema: 'mine', kind: 'enum' }))).toBe(shown('an enum'))
    expect(fieldOf(base('pair', { schema: 'mine', kind: 'composite' }))).toBe(shown('a composite type'))
    for (const name of ['int4range', 'int4multirange']) {
      expect(fieldOf(base(name, { kind: 'range' }))).toBe(shown(name))
      expect(fieldOf(base(name, { schema: 'mine', kind: 'range' }))).toBe(other)
    }
    // It is what a name of ours would be looked up by.
    expect(fieldOf(base('int4multirange', { schema: 'mine' }))).toBe(other)
  })
})

describe('the derived mapping', () => {
  it.each([
    ['numeric', 'double'],
    ['numeric(9,0)', 'long'],
    ['numeric(18,0)', 'long'],
    ['numeric(19,0)', 'double'],
    ['numeric(12,2)', 'double'],
    ['numeric(5,-2)', 'double'],
    ['numeric(9,0)[]', 'long'],
  ])('of %s is %s', (type, field) => {
    expect(deriveMapping({ type, baseType: base('numeric') })).toEqual({ type: field })
  })

  it('of an array is that of its elements', () => {
    expect(deriveMapping({ type: 'bigint[]', baseType: base('int8', { array: true }) })).toEqual({
      type: 'long',
    })
  })

  it('of a type that bears the name of a known one, and is none, keeps the value only', () => {
    const notSearchable = { type: 'keyword', index: false, doc_values: false }
    const baseType = base('date', { schema: 'mine', kind: 'range' })
    expect(deriveMapping({ type: 'mine.date', baseType })).toEqual(notSearchable)
    expect(deriveMapping({ type: 'box', baseType: base('box') })).toEqual(notSearchable)
  })

  it.each(['citext', 'ltree', 'hstore', 'geometry', 'geography'])('knows %s in any schema', (name) => {
    expect(
      deriveMapping({ type: name, baseType: base(name, { schema: 'extensions' }) }).doc_values,
    ).toBeUndefined()
  })
})

describe('the encoding of a value', () => {
  it('follows a stated type', () => {
    const point = { type: 'point', baseType: base('point') }
    expect(planValue(point, deriveMapping(point))).toEqual({ encoding: 'point', hazard: 'point' })
    expect(planValue(point, { type: 'geo_point' })).toEqual({ encoding: 'location', hazard: 'point' })
    expect(planValue(point, { type: 'xy_point' })).toEqual({ encoding: 'point', hazard: 'point' })
  })

  it('keeps a hazard where the field stays a number or a date', () => {
    const at = { type: 'date', baseType: base('date') }
    expect(planValue(at, { type: 'date', format: 'yyyy' }).hazard).toBe('date')
    expect(planValue(at, { type: 'date_nanos' }).hazard).toBe('date')
    expect(planValue(at, { type: 'keyword' }).hazard).toBeNull()
    expect(planValue({ type: 'real', baseType: base('float4') }, { type: 'half_float' }).hazard).toBe(
      'not a number',
    )
  })

  it('makes numbers of a vector that is mapped as one', () => {
    const vector = { type: 'vector(3)', baseType: base('vector', { schema: 'public' }) }
    expect(planValue(vector, { type: 'dense_vector', dims: 3 }).encoding).toBe('json text')
    expect(planValue(vector, deriveMapping(vector)).encoding).toBe('plain')
  })
})

describe('a value follows the field that is stated', () => {
  const column = (name: string, type = name) => ({ type, baseType: base(name) })
  it.each<[string, string, string, string | null]>([
    ['inet', 'ip', 'address', null],
    ['cidr', 'ip', 'address', null],
    ['inet', 'ip_range', 'text', null],
    ['point', 'geo_point', 'location', 'point'],
    ['interval', 'long', 'seconds', 'interval'],
    ['bytea', 'keyword', 'hex', null],
    ['bytea', 'binary', 'base64', null],
    ['jsonb', 'text', 'text', null],
    ['jsonb', 'flattened', 'plain', null],
    ['hstore', 'keyword', 'text', null],
    ['point', 'keyword', 'text', null],
    ['int4range', 'keyword', 'text', null],
    ['vector', 'dense_vector', 'json text', null],
    ['halfvec', 'dense_vector', 'json text', null],
    ['int4', 'keyword', 'plain', null],
    ['int4', 'long', 'plain', null],
    ['numeric', 'keyword', 'plain', 'too many digits'],
    ['numeric', 'long', 'plain', 'any numeric'],
    ['float8', 'float', 'plain', 'not a number'],
    ['float8', 'keyword', 'plain', null],
    // What the field does not read is no reason against the value.
    ['point', 'object', 'point', null],
    ['float8', 'flattened', 'plain', null],
    // Text and JSON may hold what these fields read.
    ['text', 'geo_point', 'plain', null],
    ['jsonb', 'geo_point', 'plain', null],
    ['text', 'ip', 'plain', null],
    ['text', 'ip_range', 'plain', null],
    ['cidr', 'ip_range', 'plain', null],
    ['bytea', 'dense_vector', 'base64', null],
  ])('%s as %s', (name, type, encoding, hazard) => {
    expect(planValue(column(name), { type })).toEqual({ encoding, hazard })
  })

  // The families of field types as Elasticsearch and OpenSearch have them.
  const [numbers, texts] = [
    'byte short integer long unsigned_long half_float float double scaled_float',
    `keyword constant_keyword wildcard text match_only_text annotated_text completion search_as_you_type version
     semantic_text counted_keyword icu_collation_keyword`,
  ].map((names) => names.split(/\s+/))

  it.each(numbers ?? [])('an interval as %s is a number of seconds', (type) => {
    expect(planValue(column('interval'), { type })).toEqual({ encoding: 'seconds', hazard: 'interval' })
  })

  it.each(texts ?? [])('a date as %s is its text, whatever it is', (type) => {
    expect(planValue(column('date'), { type })).toEqual({ encoding: 'plain', hazard: null })
    expect(planValue(column('bytea'), { type }).encoding).toBe('hex')
  })

  it.each(['json', 'jsonb', 'hstore', 'geometry', 'geography'])('a %s as keyword is its text', (name) => {
    expect(planValue(column(name), { type: 'keyword' }).encoding).toBe('text')
  })

  it('a numeric of a stated precision is bounded, and a whole one of 18 digits is a long', () => {
    expect(planValue(column('numeric', 'numeric(10,2)'), { type: 'keyword' }).hazard).toBeNull()
    expect(planValue(column('numeric', 'numeric(10,2)'), {}).hazard).toBe('not a number')
    expect(planValue(column('numeric'), {}).hazard).toBe('any numeric')
    const derived = (type: string) => deriveMapping(column('numeric', type)).type
    expect(['numeric(18)', 'numeric(18,0)', 'numeric(1)'].map(derived)).toEqual(['long', 'long', 'long'])
    expect(['numeric(19)', 'numeric(18,1)', 'numeric(18,-1)', 'numeric'].map(derived)).toEqual(
      Array(4).fill('double'),
    )
    expect(deriveMapping(column('text', 'numeric(5)')).type).toBe('text')
  })

  it('a composite as text is its text', () => {
    const composite = { type: 'app.pair', baseType: base('pair', { kind: 'composite', schema: 'app' }) }
    expect(planValue(composite, { type: 'keyword' }).encoding).toBe('text')
  })
})

describe('the mappings of a document', () => {
  type Root = Parameters<typeof planMappings>[0]
  const field = (path: string, name: string) => ({ path: path.split('.'), type: name, baseType: base(name) })
  const row = (fields: readonly object[], relations: readonly object[] = []) => ({ fields, relations })
  const reviews = row([field('stars', 'int4')])
  const root = row(
    [field('name', 'bool'), field('geo.lat', 'float8'), field('geo.lon', 'float8')],
    [
      { name: 'reviews', row: reviews, flatten: false, nested: true },
      { name: 'country', row: row([field('code', 'int2')]), flatten: false, nested: false },
      { name: 'languages', row: row([field('name', 'bool')]), flatten: true, nested: false },
    ],
  ) as unknown as Root

  it('are strict, and nest as its fields and relations do', () => {
    expect(planMappings(root, {})).toEqual({
      dynamic: 'strict',
      properties: {
        name: { type: 'boolean' },
        geo: { properties: { lat: { type: 'double' }, lon: { type: 'double' } } },
        reviews: { type: 'nested', properties: { stars: { type: 'integer' } } },
        country: { properties: { code: { type: 'short' } } },
        languages: { type: 'boolean' },
      },
    })
    expect(planMappings(root, { dynamic: false })).toMatchObject({ dynamic: false })
  })

  it.each<[object, string[]]>([
    [{}, []],
    [{ properties: 'none' }, []],
    [{ name: {}, geo: { properties: { lat: {} } }, 'reviews.stars': {} }, []],
    [{ nmae: {} }, ['documents.city.mappings.properties.nmae: the document has no field "nmae"']],
    [
      { 'geo.alt': {}, reviews: { properties: { by: {} } } },
      [
        'documents.city.mappings.properties.geo.properties.alt: the document has no field "alt"',
        'documents.city.mappings.properties.reviews.properties.by: the document has no field "by"',
      ],
    ],
    // Below what is one value there is nothing to know.
    [{ name: { properties: { x: {} } } }, []],
  ])('that are stated for no field are named: %j', (properties, warnings) => {
    const stated = 'properties' in properties ? properties : { properties }
    const found = unknownMappings('documents.city', root, stated as Readonly<Record<string, unknown>>)
    expect(found.map((text) => text.replace(/,? ?\(?did you mean.*$/i, ''))).toEqual(warnings)
    expect(unknownMappings('documents.city', root, {})).toEqual([])
  })
})
