import { describe, expect, test } from 'vitest'
import { curlFor } from '../../src/cli/doctor/curl.ts'
import type { Servers } from '../../src/cli/doctor/read-servers.ts'
import {
  grantFinding,
  openSchemaFinding,
  serverFindings,
  snapshotFinding,
  vacuumFinding,
} from '../../src/cli/doctor/server-findings.ts'
import { watermarkPassed } from '../../src/elasticsearch/disks.ts'

const curl = curlFor({ url: 'http://127.0.0.1:9200' })
const now = new Date('2026-03-01T00:00:00Z')

/** Nothing is wrong with these. */
const good: Servers = {
  postgres: { version: '18.4', number: 180_004 },
  elasticsearch: { product: 'elasticsearch', version: '9.5.3' },
  clockAheadMs: 59_000,
  connections: { each: 10, limits: [{ kind: 'server', name: '', limit: 97, others: 77, wanted: 20 }] },
  channels: [
    {
      server: 'Postgres',
      host: 'db',
      encrypted: true,
      verified: true,
      validTo: new Date('2026-03-15T00:00:00Z'),
    },
    { server: 'Elasticsearch', host: 'search', encrypted: true, verified: true, validTo: null },
  ],
  disks: [{ node: 'one', total: 1000, free: 1, passed: null }],
  health: { status: 'yellow', nodes: 1, unassignedShards: 3 },
  unexamined: [],
}
const found = (changed: Partial<Servers>) => serverFindings({ ...good, ...changed }, curl, now)

describe('what is found about the servers', () => {
  test('nothing, where nothing is wrong', () => expect(found({})).toEqual([]))

  test.each<[name: string, severity: string, changed: Partial<Servers>, evidence: string]>([
    ['server_untested', 'note', { postgres: { version: '19.0', number: 190_000 } }, 'tested up to 18'],
    [
      'server_untested',
      'note',
      { elasticsearch: { product: 'opensearch', version: '4.0.0' } },
      'tested up to 3',
    ],
    [
      'clock_differs',
      'warning',
      { clockAheadMs: -3_600_000 },
      "the database's clock is 1 h behind this machine's",
    ],
    [
      'clock_differs',
      'warning',
      { clockAheadMs: 60_000 },
      "the database's clock is 1 min ahead of this machine's",
    ],
    [
      'connections_short',
      'warning',
      {
        connections: { each: 10, limits: [{ kind: 'server', name: '', limit: 97, others: 78, wanted: 20 }] },
      },
      'max_connections leaves 97, others use 78, and daemons open up to 20 (10 each by this configuration)',
    ],
    [
      'disk_low',
      'warning',
      { disks: [{ node: 'one', total: 1024 ** 3, free: 1024 ** 2, passed: 'low' }] },
      '1.0 MiB of 1.0 GiB are free, which is past the watermark low: no new shards come to it, so that a reindex finds no place there',
    ],
    [
      'disk_low',
      'warning',
      { disks: [{ node: 'one', total: 1024 ** 3, free: 1024 ** 2, passed: 'high' }] },
      '1.0 MiB of 1.0 GiB are free, which is past the watermark high: its shards are being moved away',
    ],
    [
      'disk_low',
      'error',
      { disks: [{ node: 'one', total: 1024 ** 3, free: 0, passed: 'flood_stage' }] },
      '0 B of 1.0 GiB are free, which is past the watermark flood_stage: its indices take no writes',
    ],
    [
      'shards_missing',
      'error',
      { health: { status: 'red', nodes: 1, unassignedShards: 2 } },
      'the cluster is red: of 2 shards without a node some are no copies',
    ],
    ['not_examined', 'warning', { unexamined: ['the disks: 403'] }, 'the disks: 403'],
  ])('%s, %s', (name, severity, changed, evidence) => {
    expect(found(changed)).toEqual([expect.objectContaining({ name, severity, evidence })])
  })

  test('nothing of disks and health that nobody could read', () =>
    expect(found({ disks: null, health: null })).toEqual([]))

  test.each([
    ['server', '', 'max_connections', 'ALTER SYSTEM SET max_connections = 35'],
    ['database', 'shop', 'CONNECTION LIMIT of database shop', 'ALTER DATABASE shop CONNECTION LIMIT 25'],
    ['role', 'ann', 'CONNECTION LIMIT of role ann', 'ALTER ROLE ann CONNECTION LIMIT 25'],
  ] as const)(
    'too few connections of a %s are raised where they are limited',
    (kind, name, limited, remedy) => {
      const limitedTo = (limit: number) => ({
        each: 10,
        limits: [{ kind, name, limit, others: 5, wanted: 20 }],
      })
      expect(found({ connections: limitedTo(24) })).toMatchObject([
        { evidence: expect.stringContaining(`${limited} leaves 24, others use 5, `), remedy },
      ])
      expect(found({ connections: limitedTo(25) })).toEqual([])
    },
  )

  test('whoever is spoken to without encryption is told of, and nothing else about it', () => {
    const channel = { server: 'Elasticsearch', host: 'search', encrypted: false, verified: false } as const
    expect(found({ channels: [{ ...channel, validTo: null }] })).toMatchObject([
      {
        name: 'plaintext',
        severity: 'note',
        what: 'Elasticsearch at search is spoken to without encryption',
        advice: expect.stringContaining('take search out of PLAINTEXT_HOSTS'),
      },
    ])
  })

  test('a full disk is told by its node, with a request that shows what takes the space', () => {
    const disks = [{ node: 'two', total: 10, free: 1, passed: 'low' } as const]
    expect(found({ disks })).toMatchObject([
      {
        what: expect.stringContaining('node two'),
        remedy: "curl -X GET 'http://127.0.0.1:9200/_cat/indices?v=true&s=store.size:desc'",
      },
    ])
    expect(found({ health: { status: 'red', nodes: 1, unassignedShards: 2 } })).toMatchObject([
      { remedy: "curl -X GET 'http://127.0.0.1:9200/_cluster/allocation/explain'" },
    ])
  })

  test('a certificate is told of fourteen days before its end, in the last three as an error', () => {
    const severities = ['2026-03-14', '2026-03-04', '2026-03-03', '2026-02-01'].map((day) =>
      found({
        channels: [
          { server: 'Postgres', host: 'db', encrypted: true, verified: true, validTo: new Date(day) },
        ],
      }).map(({ name, severity }) => `${name} ${severity}`),
    )
    expect(severities).toEqual([
      ['certificate_expires warning'],
      ['certificate_expires warning'],
      ['certificate_expires error'],
      ['certificate_expires error'],
    ])
    const [first] = good.channels
    const soon = { ...first, validTo: new Date('2026-03-14') } as typeof first
    expect(found({ channels: [soon] as Servers['channels'] })).toMatchObject([
      {
        what: 'the certificate of Postgres at db expires soon',
        evidence: 'on 2026-03-14T00:00:00.000Z: from then on every connection is refused',
      },
    ])
  })

  test('of a server that need not prove who it is, nobody minds the certificate', () => {
    const channel = {
      server: 'Postgres',
      host: 'db',
      encrypted: true,
      verified: false,
      validTo: now,
    } as const
    expect(found({ channels: [channel] }).map(({ name }) => name)).toEqual(['certificate_unverified'])
  })

  test('a prepared transaction is ended by its name, and a server setting by ALTER SYSTEM', () => {
    expect(
      snapshotFinding({ pid: null, gid: "it's", application: '', state: 'prepared', ageMs: 3_600_000 }),
    ).toMatchObject({
      evidence: "prepared transaction it's has held its snapshot for 1 h",
      remedy: "ROLLBACK PREPARED 'it''s'",
    })
    expect(vacuumFinding({ kind: 'server', name: 'autovacuum' })).toMatchObject({
      evidence: 'autovacuum is off',
      remedy: 'ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf()',
    })
  })

  test.each([
    ['', 'process 7 (no application name, idle in transaction) has held its snapshot for 1 h'],
    ['psql', 'process 7 (psql, idle in transaction) has held its snapshot for 1 h'],
  ])('a transaction of %j is ended by its process', (application, evidence) => {
    const snapshot = { pid: 7, gid: null, application, state: 'idle in transaction', ageMs: 3_600_000 }
    expect(snapshotFinding(snapshot)).toMatchObject({ evidence, remedy: 'SELECT pg_terminate_backend(7)' })
  })

  test('what stands in the SQL of a remedy is what was found', () => {
    expect(vacuumFinding({ kind: 'table', name: 'sluice.sync_queue' })).toMatchObject({
      evidence: 'autovacuum_enabled is off for sluice.sync_queue',
      remedy: 'ALTER TABLE sluice.sync_queue RESET (autovacuum_enabled)',
    })
    expect(grantFinding({ role: 'ann', lacks: ['DELETE on a', 'USAGE on b'] })).toMatchObject({
      what: expect.stringContaining('ann lacks'),
      evidence: 'DELETE on a, USAGE on b',
      remedy: 'sluice migrate --roles',
    })
    expect(openSchemaFinding('shared')).toMatchObject({
      what: 'everybody may create functions in schema shared',
      remedy: 'REVOKE CREATE ON SCHEMA shared FROM PUBLIC',
    })
  })
})

describe('a command line for a request', () => {
  test('asks for a password, and takes a key from the environment', () => {
    const settings = { url: 'https://a:9200,https://b:9200', caFile: '/etc/ca.pem' }
    expect(curlFor({ ...settings, username: 'ann' })('DELETE', '/left')).toBe(
      "curl --cacert '/etc/ca.pem' -u 'ann' -X DELETE 'https://a:9200/left'",
    )
    expect(curlFor({ ...settings, apiKey: 'secret' })('GET', '/')).toBe(
      `curl --cacert '/etc/ca.pem' -H "Authorization: ApiKey $ELASTICSEARCH_API_KEY" -X GET 'https://a:9200/'`,
    )
  })

  test('quotes what a shell would take for more than text', () => {
    expect(curl('PUT', '/a', { b: "it's $HOME" })).toBe(
      `curl -X PUT 'http://127.0.0.1:9200/a' -H 'Content-Type: application/json' -d '{"b":"it'\\''s $HOME"}'`,
    )
  })
})

describe('which watermark a disk has passed', () => {
  const at = 'cluster.routing.allocation.disk'
  const GB = 1024 ** 3
  const shares = {
    [`${at}.watermark.low`]: '85%',
    [`${at}.watermark.high`]: '0.9',
    [`${at}.watermark.flood_stage`]: '95%',
  }
  const headroom = {
    ...shares,
    [`${at}.watermark.low.max_headroom`]: '200GB',
    [`${at}.watermark.high.max_headroom`]: '150gb',
    [`${at}.watermark.flood_stage.max_headroom`]: '-1',
  }
  const absolute = {
    [`${at}.watermark.low`]: '30gb',
    [`${at}.watermark.high`]: '20gb',
    [`${at}.watermark.flood_stage`]: '500mb',
  }
  test.each<[free: number, total: number, settings: Record<string, string>, passed: string | null]>([
    [15.1, 100, shares, null],
    [14.9, 100, shares, 'low'],
    [9.9, 100, shares, 'high'],
    [4.9, 100, shares, 'flood_stage'],
    [4.9, 100, { ...shares, [`${at}.threshold_enabled`]: 'false' }, null],
    // Of ten terabytes 1,500 GB would have to be free.
    [201, 10_000, headroom, 'flood_stage'],
    [501, 10_000, headroom, null],
    [199, 3_000, headroom, 'low'],
    [149.9, 2_900, headroom, 'high'],
    [30, 1_000, absolute, null],
    [25, 1_000, absolute, 'low'],
    [0.4, 1_000, absolute, 'flood_stage'],
    [1, 1_000, {}, null],
  ])('%d of %d GB free', (free, total, settings, passed) => {
    expect(watermarkPassed({ free: free * GB, total: total * GB }, settings)).toBe(passed)
  })
})
