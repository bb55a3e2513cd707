import { expect, test } from 'vitest'
import { mappingDrift } from '../../src/capture/mapping-drift.ts'

const wanted = {
  dynamic: 'strict',
  properties: {
    name: { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 1024 } } },
    tags: { type: 'keyword', copy_to: 'name', index: true },
    place: { properties: { lat: { type: 'double' } } },
    reviews: { type: 'nested', properties: { stars: { type: 'integer' } } },
    any: { type: 'object', dynamic: true },
    vector: { type: 'dense_vector', dims: 3 },
    'dotted.name': { type: 'date' },
  },
}
/** As the server shows it. */
const shown = {
  dynamic: 'strict',
  _meta: { sluice: {} },
  properties: {
    name: { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 1024 } } },
    tags: { type: 'keyword', copy_to: ['name'] },
    place: { properties: { lat: { type: 'double' } } },
    reviews: { type: 'nested', properties: { stars: { type: 'integer' } } },
    any: { dynamic: 'true', properties: { made: { type: 'text', fields: {} } } },
    vector: { type: 'dense_vector', dims: 3, index: true, similarity: 'cosine' },
    dotted: { properties: { name: { type: 'date' } } },
  },
}
const { properties } = shown

test('mappings as the server shows them are no drift, nor what dynamic mapping made where that is wanted', () => {
  expect(mappingDrift(shown, wanted)).toEqual([])
})

test.each([
  [
    'the root',
    { ...shown, dynamic: 'true' },
    { field: '', parameter: 'dynamic', is: 'true', wanted: 'strict' },
  ],
  [
    'a runtime field',
    { ...shown, runtime: { r: { type: 'long' } } },
    { field: '', parameter: 'runtime', is: { r: { type: 'long' } } },
  ],
  [
    'a type',
    { ...shown, properties: { ...properties, tags: { type: 'text', copy_to: ['name'] } } },
    { field: 'tags', parameter: 'type', is: 'text', wanted: 'keyword' },
  ],
  [
    'a parameter of a sub-field',
    {
      ...shown,
      properties: {
        ...properties,
        name: { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 9 } } },
      },
    },
    { field: 'name.keyword', parameter: 'ignore_above', is: 9, wanted: 1024 },
  ],
  [
    'one that nobody stated',
    { ...shown, properties: { ...properties, tags: { ...properties.tags, ignore_above: 9 } } },
    { field: 'tags', parameter: 'ignore_above', is: 9 },
  ],
  [
    'a sub-field that nobody stated',
    {
      ...shown,
      properties: { ...properties, tags: { ...properties.tags, fields: { x: { type: 'text' } } } },
    },
    { field: 'tags', parameter: 'fields.x', is: { type: 'text' } },
  ],
  [
    'one of another type',
    { ...shown, properties: { ...properties, vector: { ...properties.vector, dims: 4 } } },
    { field: 'vector', parameter: 'dims', is: 4, wanted: 3 },
  ],
])('%s that is another', (_, index, change) => {
  expect(mappingDrift(index, wanted)).toEqual([{ kind: 'changed', wanted: undefined, ...change }])
})

test('a parameter that is an object, whose numbers the server may show as text', () => {
  const options = (m: unknown) => ({
    type: 'dense_vector',
    index_options: { type: 'hnsw', m, sizes: [1, 2] },
  })
  const drift = (is: unknown) =>
    mappingDrift({ properties: { v: options(is) } }, { properties: { v: options(16) } })
  expect(drift('16')).toEqual([])
  expect(drift(32)).toMatchObject([{ kind: 'changed', field: 'v', parameter: 'index_options' }])
})

test.each([false, 'false', 'strict'])('dynamic %j adds no field: one that is there is foreign', (dynamic) => {
  const drift = mappingDrift({ dynamic: String(dynamic), properties: { odd: { type: 'long' } } }, { dynamic })
  expect(drift).toEqual([{ kind: 'foreign', field: 'odd', type: 'long', nested: null }])
})

test('fields that nobody defined, by the nested field around them', () => {
  const odd = { type: 'keyword' }
  const reviews = { ...properties.reviews, properties: { ...properties.reviews.properties, odd } }
  expect(mappingDrift({ ...shown, properties: { ...properties, odd: {}, reviews } }, wanted)).toEqual([
    { kind: 'foreign', field: 'reviews.odd', type: 'keyword', nested: 'reviews' },
    { kind: 'foreign', field: 'odd', type: 'object', nested: null },
  ])
})

test('fields that are missing, with what adds them', () => {
  const { name: _, ...others } = properties
  const reviews = { type: 'nested', properties: {} }
  expect(mappingDrift({ ...shown, properties: { ...others, reviews } }, wanted)).toEqual([
    {
      kind: 'missing',
      fields: ['name', 'reviews.stars'],
      put: {
        properties: {
          name: wanted.properties.name,
          reviews: { type: 'nested', properties: { stars: { type: 'integer' } } },
        },
      },
    },
  ])
})
