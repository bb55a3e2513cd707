import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { encodeBulk } from '../../src/elasticsearch/bulk.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import type { Operation } from '../../src/elasticsearch/types.ts'
import { UnreachableError } from '../../src/errors.ts'
import { type TestElasticsearch, testElasticsearch } from '../support/context.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'

// Answers that the real server cannot be made to give, from a proxy before it.
describe('a proxy before Elasticsearch', () => {
  let test: TestElasticsearch
  let proxy: FaultProxy
  let client: Elasticsearch
  let operations: readonly Operation[]
  const page = '<html><body><h1>502 Bad Gateway</h1>CANARY</body></html>'

  let index: string
  let serial = 0

  beforeAll(async () => {
    test = testElasticsearch(inject('elasticsearchUrl'))
    proxy = await startFaultProxy(test.url)
    client = connectElasticsearch({ url: proxy.url }, { requestTimeoutMs: 30_000 })
    index = `${test.prefix}proxied`
    const mappings = { dynamic: 'strict', properties: { name: { type: 'keyword' } } }
    await client.createIndex({ name: index, mappings, settings: { number_of_replicas: 0 } })
  })
  beforeEach(() => {
    serial += 1
    operations = ['a', 'b', 'c'].map((name) => {
      const id = `${serial}-${name}`
      return { kind: 'index', index, id, key: id, body: Buffer.from(`{"name":"${name}"}`) }
    })
  })
  afterEach(() => proxy.heal())
  afterAll(async () => {
    await client?.close()
    await proxy?.close()
    await test?.drop()
  })

  const bulk = (version = 5n) => client.bulk(encodeBulk(operations, version), operations)
  const created = { outcome: 'answered', items: operations3('created') }
  const updated = { outcome: 'answered', items: operations3('updated') }

  it('that changes nothing goes unnoticed', async () => {
    expect(await bulk()).toMatchObject(created)
    expect(await bulk(4n)).toMatchObject({
      items: operations3(undefined, { outcome: 'superseded', stored: 5n }),
    })
  })

  it.each([
    [400, 'blocked'],
    [401, 'blocked'],
    [403, 'blocked'],
    [404, 'blocked'],
    [413, 'too-large'],
    [429, 'unknown'],
    [500, 'unknown'],
    [502, 'unknown'],
    [503, 'unknown'],
    [504, 'unknown'],
    [200, 'unknown'],
  ])(
    'that answers %i with a page of its own: %s, nothing is acknowledged, and it goes on afterwards',
    async (status, outcome) => {
      proxy.break('/_bulk', { kind: 'answer', status, body: page })
      const answer = await bulk()
      expect(answer).toMatchObject({ outcome, reason: expect.stringMatching(/web page|413/) })
      expect(JSON.stringify(answer)).not.toContain('CANARY')
      proxy.heal()
      expect(await bulk()).toMatchObject(created)
    },
  )

  it('is asked once for each request: the client does not send a second time by itself', async () => {
    proxy.break('/_bulk', { kind: 'answer', status: 503, body: page })
    const before = proxy.seen.length
    await bulk()
    expect(proxy.seen.slice(before)).toEqual(['POST /_bulk'])
  })

  it.each([
    ['cut-off', 'connection_error'],
    ['shortened', 'unreadable_answer'],
    ['reset-after', 'connection_error'],
  ] as const)(
    'that breaks an answer (%s) leaves the outcome unknown, though it was applied',
    async (kind, type) => {
      proxy.break('/_bulk', { kind })
      expect(await bulk()).toMatchObject({ outcome: 'unknown', type })
      proxy.heal()
      // The same version with the same content again: that is what makes it safe to resend.
      expect(await bulk()).toMatchObject(updated)
    },
  )

  it('that resets before anything was applied leaves it unknown too', async () => {
    proxy.break('/_bulk', { kind: 'reset-before' })
    expect(await bulk()).toMatchObject({ outcome: 'unknown', type: 'connection_error' })
    proxy.heal()
    expect(await bulk()).toMatchObject(created)
  })

  it('that never answers times out, alone: a request beside it is not touched', async () => {
    proxy.break('/_bulk', { kind: 'hang' })
    const impatient = connectElasticsearch({ url: proxy.url }, { requestTimeoutMs: 1_000 })
    const [hung, beside] = await Promise.all([
      impatient.bulk(encodeBulk(operations, 5n), operations),
      impatient.ping(),
    ])
    await impatient.close()
    expect(hung).toEqual({
      outcome: 'unknown',
      type: 'timeout',
      suspicious: true,
      reason: `no answer from ${new URL(proxy.url).host} within 1000 ms`,
    })
    expect(beside).toMatchObject({ outcome: 'answered' })
  })

  describe('that stands for another product', () => {
    it.each([
      ['a web page', 200, 'text/html', page, 'a web page, not Elasticsearch'],
      ['another JSON service', 200, 'application/json', '{"hello":"world"}', 'not Elasticsearch’s'],
      ['an empty answer', 200, 'text/plain', '', 'an empty answer'],
      [
        'Elasticsearch 7',
        200,
        'application/json',
        '{"cluster_name":"c","version":{"number":"7.17.29"},"tagline":"x"}',
        'Elasticsearch 7.17.29 answered',
      ],
      [
        'OpenSearch 1',
        200,
        'application/json',
        '{"cluster_name":"c","version":{"number":"1.3.0","distribution":"opensearch"}}',
        'OpenSearch 1.3.0 answered',
      ],
      ['a login', 401, 'text/html', page, 'status 401'],
      ['a gateway error', 502, 'text/html', page, 'status 502'],
    ])('is refused, saying what answered: %s', async (_, status, contentType, body, words) => {
      proxy.break('/', { kind: 'answer', status, contentType, body })
      const refusal = await client.info().catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(UnreachableError)
      expect(refusal).toMatchObject({
        message: expect.stringContaining(words),
        where: `Elasticsearch at ${new URL(proxy.url).host}`,
        remedy: expect.any(String),
      })
      expect(String(refusal)).not.toContain('CANARY')
    })
  })

  it.each([200, 401, 404, 502])('is no sign of life when it answers %i itself', async (status) => {
    proxy.break('/', { kind: 'answer', status, body: page })
    expect(await client.ping()).toMatchObject({ outcome: expect.stringMatching(/unknown|blocked/) })
  })

  it('makes other calls fail with what answered', async () => {
    proxy.break('/', { kind: 'answer', status: 502, body: page })
    await expect(client.count('x')).rejects.toThrow(/502 with a web page/)
    await expect(client.indexUuid('x')).rejects.toThrow(UnreachableError)
    proxy.break('/', { kind: 'reset-before' })
    await expect(client.refresh('x')).rejects.toThrow(/the connection to .* broke/)
    // A proxy's 404 is not "there is no such index".
    proxy.break('/', { kind: 'answer', status: 404, body: page })
    await expect(client.indexUuid('x')).rejects.toThrow(UnreachableError)
    await expect(client.deleteIndex('x')).rejects.toThrow(UnreachableError)
  })
})

describe('nodes', () => {
  it('that do not answer are named without credentials', async () => {
    const client = connectElasticsearch(
      { url: 'http://elastic:s3cret@127.0.0.1:1, http://127.0.0.1:2' },
      { requestTimeoutMs: 1_000 },
    )
    expect(client.nodes).toBe('127.0.0.1:1, 127.0.0.1:2')
    const failure = await client.info().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(UnreachableError)
    expect(String(failure)).toMatch(
      /127\.0\.0\.1:[12]: cannot connect to 127\.0\.0\.1:[12]: connect ECONNREFUSED/,
    )
    expect(JSON.stringify([failure, String(failure)])).not.toContain('s3cret')
    expect(await client.bulk(Buffer.alloc(0), [])).toMatchObject({
      outcome: 'unknown',
      type: 'connect_error',
    })
    await client.close()
  })

  it('that live take over from one that does not', async () => {
    const client = connectElasticsearch(
      { url: `http://127.0.0.1:1,${inject('elasticsearchUrl')}` },
      { requestTimeoutMs: 5_000 },
    )
    const outcomes: string[] = []
    for (let n = 0; n < 20; n++) outcomes.push((await client.ping()).outcome)
    expect(outcomes.filter((outcome) => outcome === 'answered').length).toBeGreaterThan(10)
    await client.close()
  })

  it.each(['', 'localhost:9200', 'postgres://u:s3cret@x/y', 'http://ok:1,nonsense'])(
    'of the URL %j are refused',
    (url) => {
      expect(() => connectElasticsearch({ url }, { requestTimeoutMs: 1 })).toThrow(
        /ELASTICSEARCH_URL: not an http/,
      )
    },
  )
})

function operations3(
  result: string | undefined,
  item: object = { outcome: 'done', result },
): readonly object[] {
  return [item, item, item]
}
