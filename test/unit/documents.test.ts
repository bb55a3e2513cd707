import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { cleanJson } from '../../src/documents/clean-json.ts'
import { canonicalJson, definitionHash, scheduleHash } from '../../src/documents/hash.ts'
import { flattenSettings, mergeMappings } from '../../src/documents/merge.ts'
import { parsedSnippet, snippetSql, snippetsOf } from '../../src/documents/snippets.ts'

describe('the hash of a definition', () => {
  const definition: DocumentDefinition = {
    table: 'geo.city',
    index: 'cities',
    id: ['country', 'code'],
    fields: ['name', 'code'],
    mappings: { properties: { name: { type: 'keyword' }, code: { type: 'text' } } },
  }
  const hash = definitionHash(definition)

  it('is 64 hexadecimal digits', () => expect(hash).toMatch(/^[0-9a-f]{64}$/))

  it('does not depend on the order of keys, at any depth', () => {
    const reversed = (value: unknown): unknown =>
      typeof value !== 'object' || value === null || Array.isArray(value)
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .toReversed()
              .map(([key, inner]) => [key, reversed(inner)]),
          )
    expect(definitionHash(reversed(definition) as DocumentDefinition)).toBe(hash)
  })

  it('does not depend on the order of listed fields, which are a set', () => {
    expect(definitionHash({ ...definition, fields: ['code', 'name'] })).toBe(hash)
    const omitting = { table: 't', index: 'i' }
    expect(definitionHash({ ...omitting, omit: ['a', 'b'] })).toBe(
      definitionHash({ ...omitting, omit: ['b', 'a'] }),
    )
  })

  it('does not depend on the order of listed fields of related rows, at any depth', () => {
    const related = (fields: string[], omit: string[]): DocumentDefinition => ({
      table: 't',
      index: 'i',
      relations: { a: { one: 'a', fields, relations: { b: { many: 'b', omit, orderBy: ['x', 'y'] } } } },
    })
    const one = definitionHash(related(['x', 'y'], ['u', 'v']))
    expect(definitionHash(related(['y', 'x'], ['v', 'u']))).toBe(one)
    expect(definitionHash(related(['y'], ['v', 'u']))).not.toBe(one)
  })

  it('depends on the text of transform', () => {
    const one = definitionHash({ ...definition, transform: (document) => document })
    expect(definitionHash({ ...definition, transform: (document) => document })).toBe(one)
    expect(definitionHash({ ...definition, transform: () => null })).not.toBe(one)
  })

  it('depends on the order of the id columns, which make the _id', () => {
    expect(definitionHash({ ...definition, id: ['code', 'country'] })).not.toBe(hash)
  })

  it('takes undefined for absent', () => {
    const undefinedWhere = { ...definition, where: undefined } as unknown
    expect(definitionHash(undefinedWhere as DocumentDefinition)).toBe(hash)
  })

  it.each<[string, Partial<DocumentDefinition>]>([
    ['table', { table: 'geo.town' }],
    ['where', { where: 'active' }],
    ['fields', { fields: { name: 'name', code: { sql: 'code' } } }],
    ['settings', { settings: { number_of_replicas: 0 } }],
    ['a mapping', { mappings: { properties: { name: { type: 'text' }, code: { type: 'text' } } } }],
  ])('changes with %s', (_, change) => {
    expect(definitionHash({ ...definition, ...change })).not.toBe(hash)
  })

  it('does not change with the brake: how carefully one deletes is no part of a document', () => {
    expect(definitionHash({ ...definition, brake: { deletes: 0.5 } })).toBe(hash)
  })
})

describe('clean JSON', () => {
  it('has no line break, and means the same', () => {
    const spaces = fc.constantFrom(undefined, 1, 2, '\t')
    fc.assert(
      fc.property(fc.json(), spaces, (json, indent) => {
        const printed = JSON.stringify(JSON.parse(json), null, indent).replaceAll('\n', '\r\n')
        const cleaned = cleanJson(Buffer.from(printed)).toString()
        expect(cleaned).not.toMatch(/[\n\r]/)
        expect(JSON.parse(cleaned)).toEqual(JSON.parse(json))
      }),
    )
  })
})

describe('stated mappings over derived ones', () => {
  const text = { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 1024 } } }
  const derived = {
    dynamic: 'strict',
    properties: {
      name: text,
      data: { type: 'object', enabled: false },
      place: { properties: { lat: { type: 'double' }, lon: { type: 'double' } } },
    },
  }
  const merged = (properties: Record<string, unknown>) => mergeMappings(derived, { properties }).properties

  it('a stated type replaces all that was derived for the field', () => {
    expect(merged({ name: { type: 'keyword' } }).name).toEqual({ type: 'keyword' })
    expect(merged({ data: { type: 'object', dynamic: true } }).data).toEqual({
      type: 'object',
      dynamic: true,
    })
    expect(merged({ data: { properties: { a: { type: 'long' } } } }).data).toEqual({
      properties: { a: { type: 'long' } },
    })
    expect(merged({ place: { type: 'geo_point' } }).place).toEqual({ type: 'geo_point' })
  })

  it('an object that is stated as one keeps what was derived inside it', () => {
    expect(merged({ place: { type: 'object', properties: { lat: { type: 'float' } } } }).place).toEqual({
      type: 'object',
      properties: { lat: { type: 'float' }, lon: { type: 'double' } },
    })
  })

  it('sub-fields are none where neither has any', () => {
    expect(merged({ data: { dynamic: false } }).data).toEqual({
      type: 'object',
      enabled: false,
      dynamic: false,
    })
  })

  it('other parameters are added to what was derived', () => {
    expect(merged({ name: { analyzer: 'english', fields: { raw: { type: 'wildcard' } } } }).name).toEqual({
      type: 'text',
      analyzer: 'english',
      fields: { ...text.fields, raw: { type: 'wildcard' } },
    })
  })

  it('objects are merged property by property, also when they become nested', () => {
    expect(merged({ place: { type: 'nested', properties: { lat: { type: 'float' } } } }).place).toEqual({
      type: 'nested',
      properties: { lat: { type: 'float' }, lon: { type: 'double' } },
    })
  })

  it('dotted names are unfolded', () => {
    expect(merged({ 'place.lat': { type: 'float' }, 'place.name.raw': { type: 'keyword' } }).place).toEqual({
      properties: {
        lat: { type: 'float' },
        lon: { type: 'double' },
        name: { properties: { raw: { type: 'keyword' } } },
      },
    })
  })

  it('fields that were not derived and settings of the root are taken as they are', () => {
    expect(mergeMappings(derived, { dynamic: false, _source: { excludes: ['x'] } })).toEqual({
      ...derived,
      dynamic: false,
      _source: { excludes: ['x'] },
    })
    expect(merged({ extra: { type: 'keyword' } }).extra).toEqual({ type: 'keyword' })
  })
})

describe('index settings', () => {
  it('come to one flat spelling', () => {
    expect(
      flattenSettings({
        number_of_shards: 2,
        index: { refresh_interval: '5s', 'mapping.total_fields.limit': 2000 },
        'index.gc_deletes': '2h',
        analysis: { analyzer: { mine: { type: 'custom', filter: ['lowercase'] } } },
      }),
    ).toEqual({
      'index.number_of_shards': 2,
      'index.refresh_interval': '5s',
      'index.mapping.total_fields.limit': 2000,
      'index.gc_deletes': '2h',
      'index.analysis.analyzer.mine.type': 'custom',
      'index.analysis.analyzer.mine.filter': ['lowercase'],
    })
  })
})

describe('the snippets of a definition', () => {
  it('are its condition and its expressions, each with its path', () => {
    const fields = { name: 'name', slug: { sql: 'lower(name)' }, 'geo.lat': { sql: 'place[1]' } }
    expect(snippetsOf('city', { table: 'city', index: 'cities', where: 'active', fields })).toEqual([
      { path: 'documents.city.where', sql: 'active', table: 'city' },
      { path: 'documents.city.fields.slug', sql: 'lower(name)', table: 'city' },
      { path: 'documents.city.fields["geo.lat"]', sql: 'place[1]', table: 'city' },
    ])
    expect(snippetsOf('city', { table: 'city', index: 'cities', fields: ['name'] })).toEqual([])
  })

  it('are those of related rows too, each over its own table', () => {
    const author = { one: 'author', fields: { name: { sql: 'lower(name)' } } }
    const relations = { 'the reviews': { many: 'geo.review', where: 'active', relations: { author } } }
    expect(snippetsOf('city', { table: 'city', index: 'cities', where: 'active', relations })).toEqual([
      { path: 'documents.city.where', sql: 'active', table: 'city' },
      { path: 'documents.city.relations["the reviews"].where', sql: 'active', table: 'geo.review' },
      {
        path: 'documents.city.relations["the reviews"].relations.author.fields.name',
        sql: 'lower(name)',
        table: 'author',
      },
    ])
  })
})

describe('one text for one value', () => {
  it.each([
    [{ b: 1, a: [1, 'x', null, undefined] }, '{"a":[1,"x",null,null],"b":1}'],
    [{ b: undefined, a: { d: true, c: 1.5 } }, '{"a":{"c":1.5,"d":true}}'],
    [[[], {}], '[[],{}]'],
    [null, 'null'],
    [undefined, 'null'],
  ])('%j', (value, text) => {
    expect(canonicalJson(value)).toBe(text)
  })

  it('stays the one that installed documents were hashed by', () => {
    // Another one would ask every user for an install after an update.
    expect(definitionHash({ table: 'geo.city', index: 'cities' })).toBe(
      '2707ad07fee4773235d53e0ba97cc7f14957e7e62f9547916b2c91f76ab4fcb1',
    )
    expect(definitionHash({ table: 'geo.city', index: 'cities', fields: ['b', 'a'], omit: ['z'] })).toBe(
      definitionHash({ omit: ['z'], fields: ['a', 'b'], index: 'cities', table: 'geo.city' }),
    )
    expect(definitionHash({ table: 't', index: 'i' })).not.toBe(
      definitionHash({ table: 't', index: 'i', fields: [] }),
    )
  })

  it('of a schedule takes its documents for a set', () => {
    const nightly = { cron: '0 3 * * *', run: 'backfill' } as const
    const of = (documents: readonly string[]) => scheduleHash({ ...nightly, documents })
    expect(of(['a', 'b'])).toBe(of(['b', 'a']))
    expect(of(['a'])).not.toBe(scheduleHash(nightly))
    expect(scheduleHash(nightly)).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('a snippet', () => {
  it('stands in lines of its own, so that a comment in it ends', () => {
    expect(snippetSql('a -- b')).toBe('(\na -- b\n)')
  })

  it('has to be parsed before it is planned, over its table', () => {
    const parsed = { columns: ['a'] } as never
    const snippets = new Map([['t\0a', parsed]])
    expect(parsedSnippet(snippets, 't', 'a')).toBe(parsed)
    expect(() => parsedSnippet(snippets, 'u', 'a')).toThrow(
      'the snippet "a" over u was not parsed before planning',
    )
  })
})

it('what has no line break is left as it is', () => {
  const cleaned = (text: string) => cleanJson(Buffer.from(text)).toString()
  expect(cleaned('{"é":\t1}')).toBe('{"é":\t1}')
  expect(cleaned('{"é":\r\n1}\n\n')).toBe('{"é":  1}  ')
})
