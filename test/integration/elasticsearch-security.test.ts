import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { ElasticsearchSettings } from '../../src/config/types.ts'
import { encodeBulk } from '../../src/elasticsearch/bulk.ts'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import type { BulkAnswer, Operation } from '../../src/elasticsearch/types.ts'
import { ConfigError, UnreachableError } from '../../src/errors.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { elasticsearchVersion, type Server, startSecuredElasticsearch } from '../support/servers/index.ts'

const options = { requestTimeoutMs: 30_000 }
const operation: Operation = {
  kind: 'index',
  index: 'sec-2026-a',
  id: '1',
  key: '1',
  body: Buffer.from('{"a":1}'),
}
const bulk = async (settings: ElasticsearchSettings): Promise<BulkAnswer> => {
  const client = connectElasticsearch(settings, options)
  const answer = await client.bulk(encodeBulk([operation], 5n), [operation])
  await client.close()
  return answer
}
const infoOf = async (settings: ElasticsearchSettings): Promise<unknown> => {
  const client = connectElasticsearch(settings, options)
  return client.info().finally(() => client.close())
}

describe('a server that wants to know who we are', () => {
  let server: Server
  const withPassword = (username: string, password: string) => ({ url: server.url, username, password })

  beforeAll(async () => {
    const role = (name: string, privileges: string): string =>
      `${name}:\n  cluster: [monitor, manage_index_templates]\n  indices:\n    - names: [sec, 'sec-*']\n      privileges: [${privileges}]\n`
    server = await startSecuredElasticsearch({
      users: {
        sluice: 'correct horse: battery',
        reader: 'correct horse: battery',
        blind: 'correct horse: battery',
      },
      usersRoles: 'writer:sluice\nreader:reader\nblind:blind\n',
      roles: `probe:\n  cluster: [monitor]\n${role('writer', 'all')}${role('reader', 'read, view_index_metadata')}${role('blind', 'read, index, delete')}`,
      anonymousRole: 'probe',
      settings: { 'http.max_content_length': '1mb' },
    })
  }, 300_000)
  afterAll(() => server?.stop())

  it('lets in a user with the right password, from the settings or the URL', async () => {
    const settings = withPassword('sluice', 'correct horse: battery')
    expect(await infoOf(settings)).toEqual({ product: 'elasticsearch', version: elasticsearchVersion })
    const client = connectElasticsearch(settings, options)
    await client.putTemplate('sec')
    await client.createIndex({ name: operation.index, alias: 'sec', mappings: {}, settings: {} })
    await client.close()
    expect(await bulk(settings)).toMatchObject({ outcome: 'answered', items: [{ outcome: 'done' }] })
    const url = new URL(server.url)
    url.username = 'sluice'
    url.password = 'correct horse: battery'
    expect(await bulk({ url: url.href })).toMatchObject({ outcome: 'answered', items: [{ outcome: 'done' }] })
    // What is set beats what the URL says.
    expect(await bulk({ ...withPassword('sluice', 'wrong'), url: url.href })).toMatchObject({
      outcome: 'blocked',
    })
  })

  it.each([
    ['a wrong password', () => withPassword('sluice', 's3cret'), 'ELASTICSEARCH_PASSWORD'],
    ['an unknown user', () => withPassword('nobody', 's3cret'), 'ELASTICSEARCH_USERNAME'],
    ['a wrong API key', () => ({ url: server.url, apiKey: btoa('id:s3cret') }), 'ELASTICSEARCH_API_KEY'],
    [
      'a wrong API key in two parts',
      () => ({ url: server.url, apiKey: 'id:s3cret' }),
      'ELASTICSEARCH_API_KEY',
    ],
  ])('blocks %s, and says what to check', async (_, settings, variable) => {
    expect(await bulk(settings())).toMatchObject({ outcome: 'blocked', type: 'security_exception' })
    const refusal = await infoOf(settings()).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(UnreachableError)
    expect(refusal).toMatchObject({ remedy: expect.stringContaining(variable) })
    expect(JSON.stringify([refusal, String(refusal)])).not.toMatch(/s3cret|aWQ6czNjcmV0/)
  })

  it('blocks a user who may only read, and says which privileges are needed', async () => {
    const reader = withPassword('reader', 'correct horse: battery')
    expect(await bulk(reader)).toMatchObject({
      outcome: 'blocked',
      reason: expect.stringContaining('unauthorized for user [reader]'),
    })
    const client = connectElasticsearch(reader, options)
    const refusal = await client.deleteIndex(operation.index).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(UnreachableError)
    expect(refusal).toMatchObject({ remedy: expect.stringContaining('privileges') })
    await client.close()
  })

  it('refuses one who may write and not look to look (403), which is told from a server that is away', async () => {
    const blind = withPassword('blind', 'correct horse: battery')
    expect(await bulk(blind)).toMatchObject({ outcome: 'answered', items: [{ outcome: 'done' }] })
    const client = connectElasticsearch(blind, options)
    for (const look of ['indexStates', 'indexAliases'] as const) {
      const refusal = await client[look]('sec-2*-*').catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(UnreachableError)
      expect(refusal).toMatchObject({ status: 403, remedy: expect.stringContaining('privileges') })
    }
    expect(await client.highestVersions('sec-2*-*', [])).toMatchObject({ within: null })
    await client.close()
  })

  it('says of a request that is larger than it accepts that it is too large, and goes on', async () => {
    const client = connectElasticsearch(withPassword('sluice', 'correct horse: battery'), options)
    const large = { ...operation, body: Buffer.from(JSON.stringify({ a: 'x'.repeat(20_000_000) })) }
    expect(await client.bulk(encodeBulk([large], 6n), [large])).toMatchObject({ outcome: 'too-large' })
    expect(await client.ping()).toMatchObject({ outcome: 'answered' })
    await client.close()
  })

  it('blocks the items of an index that the user may not write, and takes the others', async () => {
    const client = connectElasticsearch(withPassword('sluice', 'correct horse: battery'), options)
    const operations = [operation, { ...operation, index: 'other' }]
    expect(await client.bulk(encodeBulk(operations, 6n), operations)).toMatchObject({
      outcome: 'answered',
      items: [{ outcome: 'done' }, { outcome: 'blocked', type: 'security_exception' }],
    })
    await client.close()
  })
})

describe('a server with a certificate of an authority of one’s own', () => {
  let directory: string
  let proxy: FaultProxy
  let stranger: string
  const file = (name: string): string => join(directory, name)
  const openssl = (...args: string[]): unknown =>
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    openssl('req', '-x509', ...key, '-subj', '/CN=Our CA', '-keyout', 'ca.key', '-out', 'ca.pem')
    openssl('req', '-x509', ...key, '-subj', '/CN=Other CA', '-keyout', 'other.key', '-out', 'other.pem')
    openssl('req', ...key, '-subj', '/CN=es', '-keyout', 'es.key', '-out', 'es.csr')
    writeFileSync(file('san'), 'subjectAltName=IP:127.0.0.1\n')
    openssl(
      'x509',
      '-req',
      '-in',
      'es.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-days',
      '2',
      '-extfile',
      'san',
      '-out',
      'es.pem',
    )
    stranger = file('other.pem')
    // The real server behind a proxy that speaks TLS: its own TLS needs nothing else of us.
    const tls = { key: readFileSync(file('es.key'), 'utf8'), cert: readFileSync(file('es.pem'), 'utf8') }
    proxy = await startFaultProxy(inject('elasticsearchUrl'), tls)
  })
  afterAll(async () => {
    await proxy?.close()
    if (directory) rmSync(directory, { recursive: true })
  })

  it('is trusted with that authority’s file', async () => {
    expect(await infoOf({ url: proxy.url, caFile: file('ca.pem') })).toMatchObject({
      product: inject('searchProduct'),
    })
  })

  it.each([
    ['without it', () => undefined],
    ['with another', () => stranger],
  ])('is not trusted %s: blocked, and the variable named', async (_, caFile) => {
    const ca = caFile()
    const settings = { url: proxy.url, ...(ca === undefined ? {} : { caFile: ca }) }
    expect(await bulk(settings)).toMatchObject({ outcome: 'blocked', type: 'tls_error' })
    const refusal = await infoOf(settings).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(UnreachableError)
    expect(refusal).toMatchObject({ remedy: expect.stringContaining('ELASTICSEARCH_CA_FILE') })
  })

  it('is not trusted under a name that is not in its certificate', async () => {
    const url = proxy.url.replace('127.0.0.1', 'localhost')
    expect(await bulk({ url, caFile: file('ca.pem') })).toMatchObject({
      outcome: 'blocked',
      type: 'tls_error',
    })
  })

  it('is not spoken to in plain text, nor a plain one in TLS', async () => {
    expect(await bulk({ url: proxy.url.replace('https', 'http') })).toMatchObject({ outcome: 'unknown' })
    const https = inject('elasticsearchUrl').replace('http:', 'https:')
    expect((await bulk({ url: https, caFile: file('ca.pem') })).outcome).toMatch(/blocked|unknown/)
  })

  it('needs a file that is there and holds a certificate', () => {
    const connect = (caFile: string) => () => connectElasticsearch({ url: proxy.url, caFile }, options)
    expect(connect(file('none.pem'))).toThrow(ConfigError)
    expect(connect(file('none.pem'))).toThrow(/ELASTICSEARCH_CA_FILE: cannot read .*ENOENT/)
    expect(connect(file('es.key'))).toThrow(/holds no certificate/)
  })
})

describe('the credentials a request carries', () => {
  it.each([
    [{ apiKey: 'aWQ6a2V5' }, 'ApiKey aWQ6a2V5'],
    [{ apiKey: 'id:key' }, 'ApiKey aWQ6a2V5'],
    [{ apiKey: 'id:key', username: 'u', password: 'p' }, 'ApiKey aWQ6a2V5'],
    [{ username: 'u', password: 'p:ö' }, `Basic ${Buffer.from('u:p:ö').toString('base64')}`],
    [{}, undefined],
  ])('for %j are %s', async (credentials, expected) => {
    const proxy = await startFaultProxy(inject('elasticsearchUrl'))
    await infoOf({ url: proxy.url, ...credentials }).finally(() => proxy.close())
    expect(proxy.authorizations.at(-1)).toBe(expected)
  })
})
