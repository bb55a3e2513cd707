import { describe, expect, test } from 'vitest'
import { curlFor } from '../../src/cli/doctor/curl.ts'
import type { Servers } from '../../src/cli/doctor/read-servers.ts'
import {
  grantFinding,
  openSchemaFinding,
  searchServer,
  serverFindings,
  snapshotFinding,
  vacuumFinding,
} from '../../src/cli/doctor/server-findings.ts'

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
      'the cluster is red, with 2 shards without a node',
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
        {
          evidence: expect.stringContaining(`${limited} leaves 24, others use 5, `),
          remedy,
          advice: expect.stringMatching(
            kind === 'server' ? /restart of Postgres/ : /^or a lower CONCURRENCY/,
          ),
        },
      ])
      expect(found({ connections: limitedTo(25) })).toEqual([])
    },
  )

  test('each with its evidence, and with what to do', () => {
    const limits = (['server', 'database', 'role'] as const).map((kind) => ({
      ...{ kind, name: 'x', limit: 1, others: 5, wanted: 20 },
    }))
    const channel = { server: 'Postgres', host: 'db', encrypted: true, verified: true, validTo: now } as const
    const all = [
      ...found({
        postgres: { version: '19.0', number: 190_000 },
        clockAheadMs: 3_600_000,
        connections: { each: 10, limits },
        channels: [channel, { ...channel, verified: false }, { ...channel, encrypted: false }],
        disks: [{ node: 'one', total: 10, free: 1, passed: 'high' }],
        health: { status: 'red', nodes: 1, unassignedShards: 2 },
        unexamined: ['the disks: 403'],
      }),
      ...[7, null].map((pid) => snapshotFinding({ pid, gid: 'g', application: 'a', state: 's', ageMs: 1 })),
      ...(['server', 'table'] as const).map((kind) => vacuumFinding({ kind, name: 'x' })),
      ...[grantFinding({ role: 'ann', lacks: ['DELETE'] }), openSchemaFinding('shared')],
    ]
    expect(all).toHaveLength(17)
    for (const finding of all) {
      expect(Object.values(finding)).not.toContain('')
      expect(finding.evidence).not.toBeNull()
      expect(finding.remedy ?? finding.advice).not.toBeNull()
    }
  })

  test('a server by its name and version', () => {
    expect(searchServer({ product: 'opensearch', version: '3.1.0' })).toBe('OpenSearch 3.1.0')
    expect(searchServer({ product: 'elasticsearch', version: '9.5.3' })).toBe('Elasticsearch 9.5.3')
    expect(found({ postgres: { version: '19.0', number: 190_000 } })).toMatchObject([
      { what: 'Postgres 19.0 is newer than what this sluice was tested with' },
    ])
  })

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
      advice: expect.stringContaining('COMMIT PREPARED'),
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
    expect(snapshotFinding(snapshot)).toMatchObject({
      evidence,
      remedy: 'SELECT pg_terminate_backend(7)',
      advice: 'or let it end in order',
    })
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
