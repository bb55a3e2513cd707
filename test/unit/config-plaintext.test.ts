import { describe, expect, it } from 'vitest'
import { checkBase } from '../../src/config/check.ts'
import { mergeSettings } from '../../src/config/merge.ts'

const merge = (environment: Record<string, string>, connection = {}) =>
  mergeSettings({ flags: {}, environment, fromFiles: new Map(), config: { connection } }, 'host-1')
const postgres = (url: string, environment: Record<string, string> = {}) =>
  merge({ DATABASE_URL: url, ...environment })
const elasticsearch = (url: string, environment: Record<string, string> = {}) =>
  merge({ ELASTICSEARCH_URL: url, ...environment })

describe('Postgres off this machine', () => {
  it.each([
    ['postgres://me:pw@db/shop', 'postgres://me:pw@db/shop?sslmode=verify-full'],
    [
      'postgres://me@db:6432/shop?application_name=x',
      'postgres://me@db:6432/shop?application_name=x&sslmode=verify-full',
    ],
    ['postgresql://db', 'postgresql://db?sslmode=verify-full'],
    ['postgres://notlocalhost/shop', 'postgres://notlocalhost/shop?sslmode=verify-full'],
    ['postgres://x.127.0.0.1/shop', 'postgres://x.127.0.0.1/shop?sslmode=verify-full'],
    ['postgres://127.0.0.1.evil.example/shop', 'postgres://127.0.0.1.evil.example/shop?sslmode=verify-full'],
    ['postgres:///shop?host=db', 'postgres:///shop?host=db&sslmode=verify-full'],
    ['postgres://localhost/shop?host=db', 'postgres://localhost/shop?host=db&sslmode=verify-full'],
    ['postgres://db/shop?sslmode=', 'postgres://db/shop?sslmode=&sslmode=verify-full'],
  ])('%s is spoken to in TLS, and its certificate verified', (url, becomes) => {
    expect(postgres(url)).toMatchObject({ problems: [], settings: { postgres: becomes } })
  })

  it.each([
    'postgres://db/shop?sslmode=verify-full',
    'postgres://db/shop?sslmode=no-verify',
    'postgres://db/shop?ssl=true',
  ])('%s stays as it is', (url) => {
    expect(postgres(url)).toMatchObject({ problems: [], settings: { postgres: url } })
  })

  it.each([
    ['postgres://db/shop?sslmode=disable', {}, 'sslmode=disable'],
    ['postgres://db/shop?sslmode=verify-full&sslmode=disable', {}, 'sslmode=disable'],
    ['postgres://db/shop?ssl=0', {}, 'sslmode=disable'],
    ['postgres://db/shop?ssl=false&sslmode=require', {}, 'sslmode=disable'],
    ['postgres://db/shop?sslmode=allow', {}, 'sslmode=allow'],
    ['postgres://db/shop', { PGSSLMODE: 'disable' }, 'sslmode=disable'],
    ['postgres:///shop?sslmode=disable', { PGHOST: 'db' }, 'sslmode=disable'],
  ])('%s with %j is refused', (url, environment, mode) => {
    expect(postgres(url, environment).problems).toEqual([
      {
        where: 'DATABASE_URL',
        what: `${mode} speaks to db without encryption`,
        remedy: expect.stringContaining('PLAINTEXT_HOSTS=db'),
      },
    ])
  })

  it('goes without, where somebody named it', () => {
    for (const url of ['postgres://db/shop', 'postgres://DB/shop?sslmode=disable']) {
      const named = postgres(url, { PLAINTEXT_HOSTS: 'search, DB' })
      expect(named).toMatchObject({ problems: [], settings: { postgres: url } })
    }
  })
})

describe('Elasticsearch off this machine', () => {
  it('by http:// is refused, each node by itself', () => {
    expect(elasticsearch('https://a:9200,http://b:9200,http://localhost:9200').problems).toEqual([
      {
        where: 'ELASTICSEARCH_URL',
        what: 'http:// speaks to b without encryption',
        remedy: expect.stringMatching(/^Write https:.*ELASTICSEARCH_CA_FILE.* PLAINTEXT_HOSTS=b$/),
      },
    ])
  })

  it('goes without, where somebody named it, in the environment or the configuration', () => {
    expect(elasticsearch('http://b:9200', { PLAINTEXT_HOSTS: 'a,b' }).problems).toEqual([])
    expect(merge({ ELASTICSEARCH_URL: 'http://b:9200' }, { plaintextHosts: 'b' }).problems).toEqual([])
    // The remedy keeps what is named already.
    const [problem] = elasticsearch('http://b:9200', { PLAINTEXT_HOSTS: 'a' }).problems
    expect(problem?.remedy).toContain('PLAINTEXT_HOSTS=a,b')
  })
})

describe('this machine', () => {
  it.each(['localhost', '127.0.0.1', '127.10.200.255', '[::1]', 'LOCALHOST'])('%s needs no TLS', (host) => {
    const url = `postgres://${host}/shop`
    const settings = merge({ DATABASE_URL: url, ELASTICSEARCH_URL: `http://${host}:9200` })
    expect(settings).toMatchObject({ problems: [], settings: { postgres: url } })
  })

  it.each(['postgres:///shop', 'postgres:///shop?host=/run/postgresql'])('nor does %s', (url) => {
    expect(postgres(url)).toMatchObject({ problems: [], settings: { postgres: url } })
  })

  it('is what the environment says, where a URL names no host', () => {
    const here = postgres('postgres:///shop?sslmode=disable', { PGHOST: 'LocalHost' })
    expect(here.problems).toEqual([])
    const off = postgres('postgres:///shop', { PGHOST: 'db', PGSSLMODE: 'require' })
    expect(off).toMatchObject({ problems: [], settings: { postgres: 'postgres:///shop' } })
    const unsaid = postgres('postgres:///shop', { PGHOST: 'db', PGSSLMODE: '' })
    expect(unsaid.settings.postgres).toBe('postgres:///shop?sslmode=verify-full')
  })
})

it('a list that is none is refused', () => {
  expect(merge({ PLAINTEXT_HOSTS: 'http://db' }).problems).toEqual([
    expect.objectContaining({ where: 'PLAINTEXT_HOSTS' }),
  ])
})

describe('the webhook of alerts', () => {
  it('off this machine by http:// is refused, and its path is shown to nobody', () => {
    const url = 'http://hooks.example.com/services/s3cr3t'
    const { problems } = merge({ ALERT_WEBHOOK: url })
    expect(problems).toEqual([
      {
        where: 'ALERT_WEBHOOK',
        what: 'http:// speaks to hooks.example.com without encryption',
        remedy: 'Write https://, or allow it by name: PLAINTEXT_HOSTS=hooks.example.com',
      },
    ])
    expect(JSON.stringify(problems)).not.toContain('s3cr3t')
    expect(merge({ ALERT_WEBHOOK: url, PLAINTEXT_HOSTS: 'hooks.example.com' }).problems).toEqual([])
    expect(merge({ ALERT_WEBHOOK: 'http://127.0.0.1:1/x' }).problems).toEqual([])
    expect(merge({ ALERT_WEBHOOK: 'https://hooks.example.com/x' }).problems).toEqual([])
  })

  it('is not shown where it is none, in the environment or in the configuration', () => {
    const bad = 'ftp://hooks.example.com/s3cr3t'
    expect(merge({ ALERT_WEBHOOK: bad }).problems).toMatchObject([{ where: 'ALERT_WEBHOOK' }])
    expect(JSON.stringify(merge({ ALERT_WEBHOOK: bad }).problems)).not.toContain('s3cr3t')
    const { problems } = checkBase({ alerts: { webhook: bad, backlogAfter: '0', drift: -1 } })
    expect(problems.map(({ where }) => where)).toEqual([
      'alerts.webhook',
      'alerts.backlogAfter',
      'alerts.drift',
    ])
    expect(JSON.stringify(problems)).not.toContain('s3cr3t')
  })
})
