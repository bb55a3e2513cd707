import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { encodeBulk } from '../../src/elasticsearch/bulk.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import { type TestElasticsearch, testElasticsearch } from '../support/context.ts'

// Each way of being refused that flat documents have, provoked on the real server with a value it would quote.
const secret = 'C4N4RYs3cr3t'
const properties = {
  ...{
    l: { type: 'long' },
    i: { type: 'integer' },
    d: { type: 'date' },
    day: { type: 'date', format: 'yyyy-MM-dd' },
  },
  ...{
    b: { type: 'boolean' },
    f: { type: 'float' },
    kw: { type: 'keyword' },
    t: { type: 'text' },
    ip: { type: 'ip' },
  },
  ...{ g: { type: 'geo_point' }, o: { properties: { x: { type: 'keyword' } } } },
  ...{ n: { type: 'nested', properties: { x: { type: 'keyword' } } }, r: { type: 'integer_range' } },
}

const refused: Readonly<
  Record<string, { readonly body: object | string; readonly field?: string; readonly words: string }>
> = {
  'text for a number': { body: { l: secret }, field: 'l', words: 'not a number' },
  'a number out of range': {
    body: { l: `99999999999999999999${secret}` },
    field: 'l',
    words: 'not a number',
  },
  'an object for a number': { body: { l: { a: secret } }, field: 'l', words: '' },
  'a malformed date': {
    body: { d: `2024-13-45T${secret}` },
    field: 'd',
    words: 'failed to parse date field with format',
  },
  'a date of another format': { body: { day: `2024/01/01 ${secret}` }, field: 'day', words: '[yyyy-MM-dd]' },
  'text for a boolean': { body: { b: secret }, field: 'b', words: 'only [true] or [false] are allowed' },
  'an object for a keyword': { body: { kw: { a: secret } }, field: 'kw', words: 'START_OBJECT' },
  'an immense term': { body: { kw: secret.repeat(3_000) }, field: 'kw', words: 'immense term' },
  'an object for a text': { body: { t: [{ a: secret }] }, field: 't', words: 'START_OBJECT' },
  'text for an address': { body: { ip: secret }, field: 'ip', words: 'not an IP string literal' },
  'text for a point': { body: { g: secret }, field: 'g', words: 'geohash' },
  'a point in words': { body: { g: { lat: secret, lon: secret } }, field: 'g', words: 'not a number' },
  'a point of no place': { body: { g: `POINT (${secret})` }, field: 'g', words: 'Invalid WKT' },
  'a value for an object': { body: { o: secret }, field: 'o', words: 'concrete value' },
  'a value for nested objects': { body: { n: secret }, field: 'n', words: 'concrete value' },
  'more nested objects than allowed': {
    body: { n: Array.from({ length: 4 }, () => ({ x: secret })) },
    words: 'nested',
  },
  'text for a range': { body: { r: { gte: secret } }, field: 'r', words: 'not a number' },
  'an unknown field': { body: { unknown: secret }, field: 'unknown', words: 'strict' },
  'an unknown field inside': { body: { o: { y: secret } }, field: 'y', words: 'strict' },
  'no JSON': { body: `{"kw":${secret}}`, words: 'Unrecognized token' },
  'half a JSON': { body: `{"kw":"${secret}"`, words: '' },
  'a field twice': { body: `{"kw":"${secret}","kw":"${secret}"}`, words: 'Duplicate field' },
  'a control character': { body: `{"kw":"\u0001${secret}"}`, words: 'Illegal unquoted character' },
}

describe('the reason of a refusal', () => {
  let test: TestElasticsearch
  let client: Elasticsearch
  let index: string

  beforeAll(async () => {
    test = testElasticsearch(inject('elasticsearchUrl'))
    client = connectElasticsearch({ url: test.url }, { requestTimeoutMs: 30_000 })
    index = `${test.prefix}reasons`
    const settings = { number_of_replicas: 0, 'index.mapping.nested_objects.limit': 3 }
    await client.createIndex({ name: index, mappings: { dynamic: 'strict', properties }, settings })
  })
  afterAll(async () => {
    await test?.drop()
    await client?.close()
  })

  it.each(Object.entries(refused))('names the field and no value: %s', async (_, { body, field, words }) => {
    const id = `${secret}-id`
    const operations = [
      {
        kind: 'index' as const,
        index,
        id,
        key: id,
        body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      },
    ]
    const answer = await client.bulk(encodeBulk(operations, 5n), operations)
    expect(answer).toMatchObject({
      outcome: 'answered',
      items: [{ outcome: 'dead', reason: expect.stringContaining(words) }],
    })
    if (field !== undefined) expect(JSON.stringify(answer)).toContain(`[${field}]`.replace('[kw]', 'kw'))
    expect(JSON.stringify(answer)).not.toMatch(/C4N4RY|s3cr3t|67, 52/)
  })
})
