import type { Watermark } from '../../elasticsearch/disks.ts'
import { bytes, count, duration, plural } from '../format.ts'
import type { Curl } from './curl.ts'
import { type DoctorFinding, error, note, warning } from './finding.ts'
import type { ConnectionLimit, Connections } from './read-connections.ts'
import type { MissingGrant } from './read-grants.ts'
import type { Channel, Servers } from './read-servers.ts'
import type { OldSnapshot, VacuumOff } from './read-vacuum.ts'

/** Newest versions that the test matrix runs against (test/matrix/cells.ts). */
const NEWEST_TESTED = { postgres: 18, elasticsearch: 9, opensearch: 3 } as const

/** Schedules and `--since` go by the database's clock; what people compare it with is off by seconds at most. */
const CLOCK_TOLERANCE_MS = 60_000

/** A certificate is renewed in time, or nobody is going to. */
const EXPIRES_SOON_MS = 14 * 86_400_000
const EXPIRES_NOW_MS = 3 * 86_400_000

/** What the two servers are, and how they are reached. @param now this machine's clock, which certificates are held against */
export function serverFindings(servers: Servers, curl: Curl, now: Date): DoctorFinding[] {
  return [
    ...versionFindings(servers),
    ...clockFindings(servers),
    ...servers.connections.limits.flatMap((limit) => connectionFindings(limit, servers.connections)),
    ...servers.channels.flatMap((channel) => channelFindings(channel, now)),
    ...diskFindings(servers, curl),
    ...healthFindings(servers, curl),
    ...servers.unexamined.map((evidence) =>
      warning('not_examined', null, {
        what: 'something could not be looked at',
        evidence,
        advice: 'docs/security.md has the privileges that sluice needs',
      }),
    ),
  ]
}

/** Those that are too old are refused before anything else is looked at. */
function versionFindings({ postgres, elasticsearch }: Servers): DoctorFinding[] {
  const { product, version } = elasticsearch
  const untested = [
    {
      name: `Postgres ${postgres.version}`,
      is: Math.floor(postgres.number / 10_000),
      newest: NEWEST_TESTED.postgres,
    },
    { name: searchServer(elasticsearch), is: Number.parseInt(version, 10), newest: NEWEST_TESTED[product] },
  ].filter(({ is, newest }) => is > newest)
  return untested.map(({ name, newest }) =>
    note('server_untested', null, {
      what: `${name} is newer than what this sluice was tested with`,
      evidence: `tested up to ${newest}`,
      advice: 'look whether a newer sluice knows it',
    }),
  )
}

/** `Elasticsearch 8.19.21` */
export function searchServer({ product, version }: Servers['elasticsearch']): string {
  return `${product === 'opensearch' ? 'OpenSearch' : 'Elasticsearch'} ${version}`
}

function clockFindings({ clockAheadMs }: Servers): DoctorFinding[] {
  if (Math.abs(clockAheadMs) < CLOCK_TOLERANCE_MS) return []
  const evidence = `the database's clock is ${duration(Math.abs(clockAheadMs))} ${clockAheadMs > 0 ? 'ahead of' : 'behind'} this machine's`
  return [
    warning('clock_differs', null, {
      what: 'a clock is wrong',
      evidence,
      advice:
        'set the wrong one by NTP; documents are right whatever it says, but schedules, --since and all times shown go by the database',
    }),
  ]
}

function connectionFindings(
  { kind, name, limit, others, wanted }: ConnectionLimit,
  { each }: Connections,
): DoctorFinding[] {
  if (others + wanted <= limit) return []
  const enough = others + wanted
  const whose = {
    server: 'max_connections',
    database: `CONNECTION LIMIT of database ${name}`,
    role: `CONNECTION LIMIT of role ${name}`,
  }
  const remedy = {
    server: `ALTER SYSTEM SET max_connections = ${enough + 10}`,
    database: `ALTER DATABASE ${name} CONNECTION LIMIT ${enough}`,
    role: `ALTER ROLE ${name} CONNECTION LIMIT ${enough}`,
  }
  return [
    warning('connections_short', null, {
      what: 'there are too few connections for the daemons at full work',
      evidence: `${whose[kind]} leaves ${count(limit)}, others use ${count(others)}, and daemons open up to ${count(wanted)} (${each} each by this configuration)`,
      remedy: remedy[kind],
      advice:
        kind === 'server'
          ? 'takes a restart of Postgres; or a lower CONCURRENCY, or a pooler (docs/pgbouncer.md)'
          : 'or a lower CONCURRENCY',
    }),
  ]
}

function channelFindings(
  { server, host, encrypted, verified, validTo }: Channel,
  now: Date,
): DoctorFinding[] {
  if (!encrypted)
    return [
      note('plaintext', null, {
        what: `${server} at ${host} is spoken to without encryption`,
        evidence: 'passwords and documents can be read on the way; PLAINTEXT_HOSTS allows it',
        advice: `switch TLS on there, and take ${host} out of PLAINTEXT_HOSTS`,
      }),
    ]
  const findings: DoctorFinding[] = []
  if (!verified)
    findings.push(
      note('certificate_unverified', null, {
        what: `${server} at ${host} need not prove who it is`,
        evidence: 'sslmode=no-verify: whoever is on the way can take its place',
        advice: 'leave sslmode out of DATABASE_URL; sslrootcert=… names an authority of your own',
      }),
    )
  const leftMs = validTo === null ? Number.POSITIVE_INFINITY : validTo.getTime() - now.getTime()
  if (leftMs < EXPIRES_SOON_MS && verified)
    findings.push(
      (leftMs < EXPIRES_NOW_MS ? error : warning)('certificate_expires', null, {
        what: `the certificate of ${server} at ${host} expires soon`,
        evidence: `on ${validTo?.toISOString() ?? ''}: from then on every connection is refused`,
        advice: 'renew it; daemons need no restart',
      }),
    )
  return findings
}

const PASSED: Readonly<Record<Watermark, string>> = {
  low: 'no new shards come to it, so that a reindex finds no place there',
  high: 'its shards are being moved away',
  flood_stage: 'its indices take no writes',
}

function diskFindings({ disks }: Servers, curl: Curl): DoctorFinding[] {
  return (disks ?? []).flatMap(({ node, total, free, passed }) =>
    passed === null
      ? []
      : [
          (passed === 'flood_stage' ? error : warning)('disk_low', null, {
            what: `the disk of Elasticsearch's node ${node} is nearly full`,
            evidence: `${bytes(free)} of ${bytes(total)} are free, which is past the watermark ${passed}: ${PASSED[passed]}`,
            remedy: curl('GET', '/_cat/indices?v=true&s=store.size:desc'),
            advice: 'it shows what takes the space: delete what nobody needs, or give it a larger disk',
          }),
        ],
  )
}

/** Yellow is a node that is away for a moment, or a cluster of one node: searches and writes do not notice. */
function healthFindings({ health }: Servers, curl: Curl): DoctorFinding[] {
  if (health?.status !== 'red') return []
  return [
    error('shards_missing', null, {
      what: 'Elasticsearch has indices that cannot be read or written whole',
      evidence: `the cluster is red, with ${plural(health.unassignedShards, 'shard', 'shards')} without a node`,
      remedy: curl('GET', '/_cluster/allocation/explain'),
      advice: 'it says why they have no node',
    }),
  ]
}

export function snapshotFinding({ pid, gid, application, state, ageMs }: OldSnapshot): DoctorFinding {
  const who =
    pid === null
      ? `prepared transaction ${gid}`
      : `process ${pid} (${application === '' ? 'no application name' : application}, ${state})`
  return warning('old_snapshot', null, {
    what: 'an old transaction keeps vacuum from cleaning the queue, which slows every claim',
    evidence: `${who} has held its snapshot for ${duration(ageMs)}`,
    remedy:
      pid === null
        ? `ROLLBACK PREPARED '${(gid ?? '').replaceAll("'", "''")}'`
        : `SELECT pg_terminate_backend(${pid})`,
    advice: pid === null ? 'or COMMIT PREPARED: ask who coordinates it' : 'or let it end in order',
  })
}

export function vacuumFinding({ kind, name }: VacuumOff): DoctorFinding {
  return warning('autovacuum_off', null, {
    what: 'nobody cleans dead marks away, and claims get slower and slower',
    evidence: kind === 'server' ? `${name} is off` : `autovacuum_enabled is off for ${name}`,
    remedy:
      kind === 'server'
        ? `ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf()`
        : `ALTER TABLE ${name} RESET (autovacuum_enabled)`,
  })
}

export function grantFinding({ role, lacks }: MissingGrant): DoctorFinding {
  return error('grant_missing', null, {
    what: `${role} lacks what a daemon needs of sluice's own tables`,
    evidence: lacks.join(', '),
    remedy: 'sluice migrate --roles',
    advice:
      'as the owner of the schema; a login that has not got the daemon role yet needs GRANT … TO as well (docs/security.md)',
  })
}

/** Of two functions Postgres takes the one whose parameters fit exactly, wherever it is on the search_path. */
export function openSchemaFinding(schema: string): DoctorFinding {
  return warning('open_schema', null, {
    what: `everybody may create functions in schema ${schema}`,
    evidence:
      'it is on the search_path, and one that fits better than one of Postgres runs with the rights of whoever runs sluice',
    remedy: `REVOKE CREATE ON SCHEMA ${schema} FROM PUBLIC`,
  })
}
