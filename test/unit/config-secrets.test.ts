import { describe, expect, it } from 'vitest'
import { checkConfig } from '../../src/config/check.ts'
import { redactUrl } from '../../src/config/redact.ts'

/** What is said of a configuration ends in logs and in issue trackers. */

describe('a configuration that is wrong', () => {
  const hidden = 'hunter2hunter2hunter2'
  const url = `postgres://me:${hidden}@db/shop`
  it.each<[where: string, config: unknown]>([
    ['the configuration', url],
    ['the configuration', [{ connection: { postgres: url }, documents: {} }]],
    ['connection', { connection: url, documents: {} }],
    ['connection', { connection: [url], documents: {} }],
    ['connection.postgres', { connection: { postgres: [url] }, documents: {} }],
    ['connection.postgres', { connection: { postgres: { password: hidden } }, documents: {} }],
    ['connection.elasticsearch', { connection: { elasticsearch: url }, documents: {} }],
    ['connection.elasticsearchPassword', { connection: { elasticsearchPassword: [hidden] }, documents: {} }],
    ['admin', { admin: hidden, documents: {} }],
    ['admin.token', { admin: { token: [hidden] }, documents: {} }],
    ['alerts', { alerts: `https://hooks.example.com/${hidden}`, documents: {} }],
    ['alerts.webhook', { alerts: { webhook: `ftp://${hidden}` }, documents: {} }],
  ])('shows no credential of %s', (where, config) => {
    const { problems } = checkConfig(config)
    expect(problems.map((problem) => problem.where)).toEqual([where])
    expect(JSON.stringify(problems)).not.toContain(hidden)
  })

  it.each<[config: object, shown: string]>([
    [{ connection: 7 }, 'connection: got 7'],
    [{ connection: { elasticsearchCaFile: 7 } }, 'connection.elasticsearchCaFile: got 7'],
    [
      { connection: { elasticsearch: `ftp://a:${hidden}@b` } },
      'connection.elasticsearch: got "ftp://a:***@b"',
    ],
    [{ admin: { host: 'a b' } }, 'admin.host: got "a b"'],
    [{ alerts: { drift: -1 } }, 'alerts.drift: got -1'],
    // Names that are keys of other parts.
    [{ documents: { token: 'x' } }, 'documents.token: got "x"'],
    [{ documents: { webhook: 'x' } }, 'documents.webhook: got "x"'],
  ])('shows what is no credential: %j', (config, shown) => {
    const { problems } = checkConfig({ documents: {}, ...config })
    expect(problems.map(({ where, what }) => `${where}: ${what.split(', expected')[0]}`)).toEqual([shown])
  })
})

describe('redactUrl', () => {
  it.each([
    ['postgres://me:secret@db:5432/shop', 'postgres://me:***@db:5432/shop'],
    ['postgres://me:se/cr#e?t@x@db/shop', 'postgres://me:***@db/shop'],
    ['postgres://me@db/shop', 'postgres://me@db/shop'],
    ['postgres:///shop?host=/run&user=me&password=secret', 'postgres:///shop?host=/run&user=me&password=***'],
    ['https://a:b@one:9200,https://c:d@two:9200', 'https://a:***@one:9200,https://c:***@two:9200'],
    ['http://localhost:9200', 'http://localhost:9200'],
    ['nonsense', 'nonsense'],
    [
      'https://a:9200?api_key=k&access_token=t&x=y&KEY=k',
      'https://a:9200?api_key=***&access_token=***&x=y&KEY=***',
    ],
    [
      'postgres://db/shop?sslpassword=secret&sslmode=require',
      'postgres://db/shop?sslpassword=***&sslmode=require',
    ],
    ['HTTPS://a:b@one,HTTPS://c:d@two', 'HTTPS://a:***@one,HTTPS://c:***@two'],
    ['postgres://me:two\nlines@db/shop', 'postgres://me:***@db/shop'],
  ])('%s → %s', (url, redacted) => {
    expect(redactUrl(url)).toBe(redacted)
  })
})
