import { describe, expect, it } from 'vitest'
import { type Layers, mergeSettings } from '../../src/config/merge.ts'

function merge(layers: Partial<Layers>) {
  return mergeSettings({ flags: {}, environment: {}, fromFiles: new Map(), config: {}, ...layers }, 'host-1')
}

describe('settings', () => {
  it('have defaults', () => {
    expect(merge({})).toEqual({
      problems: [],
      settings: {
        alerts: { webhook: null, backlogAfterMs: 600_000, drift: 0 },
        postgres: null,
        elasticsearch: null,
        admin: { host: '127.0.0.1', port: 9187, token: null, hosts: [], trustedProxies: [] },
        schema: 'sluice',
        instance: 'host-1',
        logLevel: 'info',
        limits: {
          batchSize: 1000,
          batchBytes: 1_048_576,
          concurrency: 2,
          pollingInterval: 50,
          maxRetries: 5,
          requestTimeout: 30_000,
          shutdownTimeout: 30_000,
          syncLogRetentionDays: 7,
        },
      },
    })
  })

  it('flags beat the environment, the environment beats the configuration', () => {
    const config = {
      connection: { postgres: 'postgres://localhost/c', elasticsearch: 'https://c:9200' },
      schema: 'c',
      logLevel: 'fatal' as const,
      limits: { batchSize: 3, maxRetries: 3 },
    }
    const environment = { DATABASE_URL: 'postgres://localhost/e', SLUICE_SCHEMA: 'e', BATCH_SIZE: '2' }
    const { settings, problems } = merge({ flags: { schema: 'f' }, environment, config })
    expect(problems).toEqual([])
    expect(settings).toMatchObject({
      postgres: 'postgres://localhost/e',
      elasticsearch: { url: 'https://c:9200' },
      schema: 'f',
      logLevel: 'fatal',
      limits: { batchSize: 2, maxRetries: 3 },
    })
  })

  it('come from the configuration, key by key, and from the environment over it', () => {
    const settings = {
      alerts: { webhook: 'https://hooks.example.com/a', backlogAfterMs: 3_600_000, drift: 4 },
      postgres: 'postgres://localhost/shop',
      elasticsearch: { url: 'https://a:9200', username: 'me', password: 'pw', caFile: '/etc/ca.pem' },
      admin: {
        ...{ host: '::1', port: 8080, token: '0123456789abcdef' },
        ...{ hosts: ['search.internal'], trustedProxies: ['10.0.0.1'] },
      },
      schema: 'other',
      instance: 'blue',
      logLevel: 'debug' as const,
      limits: {
        ...{ batchSize: 11, batchBytes: 2048, concurrency: 12, pollingInterval: 13, maxRetries: 14 },
        ...{ requestTimeout: 150, shutdownTimeout: 160, syncLogRetentionDays: 17 },
      },
    }
    const { schema, instance, logLevel, limits } = settings
    const config = {
      connection: {
        postgres: settings.postgres,
        elasticsearch: 'https://a:9200/',
        elasticsearchUsername: 'me',
        elasticsearchPassword: 'pw',
        elasticsearchCaFile: '/etc/ca.pem',
      },
      admin: { ...settings.admin, hosts: 'search.internal', trustedProxies: '10.0.0.1' },
      alerts: { webhook: settings.alerts.webhook, backlogAfter: '1h', drift: 4 },
      ...{ schema, instance, logLevel, limits },
    }
    expect(merge({ config })).toEqual({ problems: [], settings })
    const environment = {
      ...{ DATABASE_URL: 'postgres://localhost/shop', ELASTICSEARCH_URL: 'https://a:9200/' },
      ...{ ELASTICSEARCH_USERNAME: 'me', ELASTICSEARCH_PASSWORD: 'pw', ELASTICSEARCH_CA_FILE: '/etc/ca.pem' },
      ...{ ADMIN_HOST: '::1', ADMIN_PORT: '8080', ADMIN_TOKEN: '0123456789abcdef' },
      ...{ ADMIN_HOSTS: 'search.internal', ADMIN_TRUSTED_PROXIES: '10.0.0.1' },
      ...{ ALERT_WEBHOOK: settings.alerts.webhook, ALERT_BACKLOG_AFTER: '1h', ALERT_DRIFT: '4' },
      ...{ SLUICE_SCHEMA: 'other', SLUICE_INSTANCE: 'blue', LOG_LEVEL: 'debug' },
      ...{ BATCH_SIZE: ' 11 ', BATCH_BYTES: '2048', CONCURRENCY: '12', POLLING_INTERVAL: '13' },
      ...{ MAX_RETRIES: '14', REQUEST_TIMEOUT: '150', SHUTDOWN_TIMEOUT: '160' },
      ...{ SYNC_LOG_RETENTION_DAYS: '17' },
    }
    const overruled = {
      connection: { elasticsearchCaFile: 'x', elasticsearchApiKey: 'x' },
      admin: { hosts: 'x', trustedProxies: '10.9.9.9' },
      alerts: { backlogAfter: '2h' },
      instance: 'x',
    }
    expect(merge({ environment, config: overruled })).toEqual({ problems: [], settings })
  })

  it('four of them have flags', () => {
    const flags = {
      ...{ databaseUrl: 'postgres://localhost/shop', elasticsearchUrl: 'https://a:9200' },
      ...{ schema: 'other', logLevel: 'debug' },
    }
    expect(merge({ flags })).toMatchObject({
      problems: [],
      settings: {
        postgres: flags.databaseUrl,
        elasticsearch: { url: flags.elasticsearchUrl },
        schema: 'other',
        logLevel: 'debug',
      },
    })
    expect(
      merge({ flags: { elasticsearchUrl: 'x', logLevel: 'y' } }).problems.map(({ where }) => where),
    ).toEqual(['--elasticsearch-url', '--log-level'])
  })

  it('a variable that is set to nothing, or that is overruled, does not count', () => {
    expect(
      merge({ environment: { BATCH_SIZE: ' ', SLUICE_SCHEMA: 'public' }, flags: { schema: 'x' } }),
    ).toMatchObject({
      problems: [],
      settings: { schema: 'x', limits: { batchSize: 1000 } },
    })
  })
})

describe('a bad value', () => {
  it.each<[Partial<Layers>, string]>([
    [
      { environment: { BATCH_SIZE: 'many' } },
      'BATCH_SIZE: got "many", expected a whole number of keys from 1 to 100000 (default 1000)',
    ],
    [
      { environment: { BATCH_SIZE: '1e3' } },
      'BATCH_SIZE: got "1e3", expected a whole number of keys from 1 to 100000 (default 1000)',
    ],
    [
      { environment: { BATCH_BYTES: '1MB' } },
      'BATCH_BYTES: got "1MB", expected a whole number of bytes from 1024 to 100663296 (default 1048576)',
    ],
    [
      { environment: { CONCURRENCY: '0' }, fromFiles: new Map([['CONCURRENCY', '.env']]) },
      'CONCURRENCY: got "0" in .env, expected a whole number of batches in flight from 1 to 64 (default 2)',
    ],
    [
      { environment: { POLLING_INTERVAL: '1' } },
      'POLLING_INTERVAL: got "1", expected a whole number of milliseconds from 5 to 60000 (default 50)',
    ],
    [
      { environment: { MAX_RETRIES: '-1' } },
      'MAX_RETRIES: got "-1", expected a whole number of attempts from 1 to 1000 (default 5)',
    ],
    [
      { environment: { REQUEST_TIMEOUT: '30s' } },
      'REQUEST_TIMEOUT: got "30s", expected a whole number of milliseconds from 100 to 600000 (default 30000)',
    ],
    [
      { environment: { SHUTDOWN_TIMEOUT: '0x10' } },
      'SHUTDOWN_TIMEOUT: got "0x10", expected a whole number of milliseconds from 0 to 600000 (default 30000)',
    ],
    [
      { environment: { SYNC_LOG_RETENTION_DAYS: '0' } },
      'SYNC_LOG_RETENTION_DAYS: got "0", expected a whole number of days from 1 to 3650 (default 7)',
    ],
    [
      { environment: { LOG_LEVEL: 'verbose' } },
      'LOG_LEVEL: got "verbose", expected one of fatal, error, warn, info, debug, trace, silent (default info)',
    ],
    [
      { environment: { ADMIN_PORT: 'http' } },
      'ADMIN_PORT: got "http", expected a port from 0 to 65535 (0: any that is free), or "off" (default 9187)',
    ],
    [
      { environment: { ADMIN_PORT: '65536' } },
      'ADMIN_PORT: got "65536", expected a port from 0 to 65535 (0: any that is free), or "off" (default 9187)',
    ],
    [
      { environment: { ADMIN_TOKEN: 'fifteen letters' } },
      'ADMIN_TOKEN: got a text that is not shown, expected a token of 16 to 200 letters, digits and signs, without spaces',
    ],
    [
      { environment: { ADMIN_HOSTS: 'http://search' } },
      'ADMIN_HOSTS: got "http://search", expected host names separated by commas, such as "search.internal"',
    ],
    ...['proxy', '10.0.0.0/0', '10.0.0.0/33', '::1/129', '10.0.0.1/8/8', '10.0.0.1,', '10.0.0.0/08'].map(
      (list): [Record<string, unknown>, string] => [
        { environment: { ADMIN_TRUSTED_PROXIES: list } },
        `ADMIN_TRUSTED_PROXIES: got "${list}", expected addresses or networks separated by commas, such as "127.0.0.1, 10.0.0.0/8"`,
      ],
    ),
    // With digits before the "#" what is left looks like a host and a port.
    [
      { environment: { DATABASE_URL: 'postgres://me:12#b@db/shop' } },
      'DATABASE_URL: got postgres://me:***@db/shop, expected a URL such as postgres://user:password@host:5432/database',
    ],
    [
      { environment: { DATABASE_URL: 'postgres://me:12?b@db/shop' } },
      'DATABASE_URL: got postgres://me:***@db/shop, expected a URL such as postgres://user:password@host:5432/database',
    ],
    [
      { environment: { DATABASE_URL: 'postgres://me:a#b@db/shop' } },
      'DATABASE_URL: got postgres://me:***@db/shop, expected a URL such as postgres://user:password@host:5432/database',
    ],
    [
      { environment: { DATABASE_URL: 'localhost:5432' } },
      'DATABASE_URL: got localhost:5432, expected a URL such as postgres://user:password@host:5432/database',
    ],
    [
      { flags: { databaseUrl: 'x' } },
      '--database-url: got x, expected a URL such as postgres://user:password@host:5432/database',
    ],
    [
      { environment: { ELASTICSEARCH_URL: 'https://a:9200,b:9200' } },
      'ELASTICSEARCH_URL: got https://a:9200,b:9200, expected a URL such as https://host:9200, or several separated by commas',
    ],
    [
      { environment: { SLUICE_INSTANCE: 'a\u0007' } },
      'SLUICE_INSTANCE: got "a\\u0007", expected a name of 1 to 200 printable characters, different for each daemon',
    ],
    [
      { environment: { ELASTICSEARCH_API_KEY: 'k', ELASTICSEARCH_USERNAME: 'u' } },
      'ELASTICSEARCH_API_KEY: given together with ELASTICSEARCH_USERNAME or ELASTICSEARCH_PASSWORD, expected one of the two',
    ],
    [
      { environment: { ELASTICSEARCH_USERNAME: 'u' } },
      'ELASTICSEARCH_PASSWORD: is missing, expected with ELASTICSEARCH_USERNAME',
    ],
    [
      { environment: { ELASTICSEARCH_PASSWORD: 'p' } },
      'ELASTICSEARCH_USERNAME: is missing, expected with ELASTICSEARCH_PASSWORD',
    ],
    [
      { environment: { ELASTICSEARCH_API_KEY: 'k', ELASTICSEARCH_PASSWORD: 'p' } },
      'ELASTICSEARCH_API_KEY: given together with ELASTICSEARCH_USERNAME or ELASTICSEARCH_PASSWORD, expected one of the two',
    ],
    ...[{ ELASTICSEARCH_API_KEY: 'k' }, { ELASTICSEARCH_USERNAME: 'u', ELASTICSEARCH_PASSWORD: 'p' }].map(
      (twice): [Partial<Layers>, string] => [
        { environment: { ELASTICSEARCH_URL: 'https://a:9200,https://u:p@b:9200', ...twice } },
        'ELASTICSEARCH_URL: holds a user name, and there are ELASTICSEARCH_API_KEY or ELASTICSEARCH_USERNAME too',
      ],
    ),
  ])('%j', (layers, problem) => {
    expect(merge(layers).problems.map(({ where, what }) => `${where}: ${what}`)).toEqual([problem])
  })

  it('several are reported together', () => {
    const environment = { BATCH_SIZE: 'x', LOG_LEVEL: 'y', ELASTICSEARCH_PASSWORD: 'z' }
    expect(merge({ environment }).problems.map(({ where }) => where)).toEqual([
      'ELASTICSEARCH_USERNAME',
      'LOG_LEVEL',
      'BATCH_SIZE',
    ])
  })
})

describe('credentials of Elasticsearch', () => {
  const connection = { elasticsearch: 'https://a:9200', elasticsearchApiKey: 'from config' }

  it('in the environment replace those of the configuration as a whole', () => {
    const environment = { ELASTICSEARCH_USERNAME: 'u', ELASTICSEARCH_PASSWORD: 'p' }
    expect(merge({ environment, config: { connection } })).toMatchObject({
      problems: [],
      settings: { elasticsearch: { url: 'https://a:9200', username: 'u', password: 'p' } },
    })
  })

  it('stated twice are to be stated once', () => {
    const environment = { ELASTICSEARCH_URL: 'https://u:p@a:9200', ELASTICSEARCH_API_KEY: 'k' }
    expect(merge({ environment }).problems).toMatchObject([{ remedy: 'State the credentials once.' }])
  })

  it('come from the configuration otherwise', () => {
    expect(merge({ config: { connection } }).settings.elasticsearch).toEqual({
      url: 'https://a:9200',
      apiKey: 'from config',
    })
  })

  it('are taken out of the URL, so that it can be printed', () => {
    const environment = { ELASTICSEARCH_URL: 'https://el:p%40ss@a:9200/base, https://b:9200' }
    expect(merge({ environment }).settings.elasticsearch).toEqual({
      url: 'https://a:9200/base,https://b:9200',
      username: 'el',
      password: 'p@ss',
    })
    const later = { ELASTICSEARCH_URL: 'https://a:9200,https://b%40:c@b:9200' }
    const elasticsearch = { url: 'https://a:9200,https://b:9200', username: 'b@', password: 'c' }
    expect(merge({ environment: later })).toMatchObject({ problems: [], settings: { elasticsearch } })
  })
})
