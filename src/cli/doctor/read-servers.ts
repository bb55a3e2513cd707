import { connect as connectTls, type PeerCertificate, TLSSocket } from 'node:tls'
import pg from 'pg'
import { isLoopback } from '../../config/plaintext.ts'
import type { ElasticsearchSettings, Limits } from '../../config/types.ts'
import type { Elasticsearch } from '../../elasticsearch/client.ts'
import type { ClusterHealth } from '../../elasticsearch/cluster-health.ts'
import type { Disk } from '../../elasticsearch/disks.ts'
import { readCa } from '../../elasticsearch/nodes.ts'
import { daemonConnections } from '../../runs/instance.ts'
import { type Connections, readConnections } from './read-connections.ts'

/** How a server is spoken to. */
export interface Channel {
  readonly server: 'Postgres' | 'Elasticsearch'
  /** The host, without a port. */
  readonly host: string
  /** False only where the host is off this machine. */
  readonly encrypted: boolean
  /** Whether the other end has to prove who it is; true where nothing is encrypted. */
  readonly verified: boolean
  /** When the certificate of the other end is no longer valid; null where it shows none. */
  readonly validTo: Date | null
}

/** What the two servers are, and how they are reached. */
export interface Servers {
  readonly postgres: { readonly version: string; readonly number: number }
  readonly elasticsearch: { readonly product: 'elasticsearch' | 'opensearch'; readonly version: string }
  /** Milliseconds by which the database's clock is ahead of this machine's; negative: behind. */
  readonly clockAheadMs: number
  readonly connections: Connections
  readonly channels: readonly Channel[]
  /** Null: it could not be looked at; `unexamined` says why. */
  readonly disks: readonly Disk[] | null
  readonly health: ClusterHealth | null
  readonly unexamined: readonly string[]
}

export interface Asked {
  readonly client: pg.ClientBase
  readonly schema: string
  readonly postgres: string
  readonly limits: Limits
  readonly elasticsearch: Elasticsearch
  readonly search: ElasticsearchSettings
}

/** What a role or a key may not see is told in `unexamined`: it keeps nothing else from being looked at. */
export async function readServers(asked: Asked): Promise<Servers> {
  const { client, schema, elasticsearch, search, limits } = asked
  const before = Date.now()
  const { rows } = await client.query<{ version: string; number: number; now: number }>(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS number,
            extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`,
  )
  const after = Date.now()
  const { version = '', number = 0, now = before } = rows[0] ?? {}
  const unexamined: string[] = []
  const attempt = async <T>(what: string, look: () => Promise<T>): Promise<T | null> => {
    try {
      return await look()
    } catch (error) {
      unexamined.push(`${what}: ${error instanceof Error ? error.message : error}`)
      return null
    }
  }
  return {
    postgres: { version: version.split(' ')[0] ?? version, number },
    elasticsearch: await elasticsearch.info(),
    // It was read somewhere between the two: what may be the way there is no difference.
    clockAheadMs: now > after ? now - after : Math.min(0, now - before),
    connections: await readConnections(client, schema, daemonConnections(limits)),
    channels: [postgresChannel(asked), ...(await searchChannels(search))],
    disks: await attempt("the disks of Elasticsearch's nodes", () => elasticsearch.disks()),
    health: await attempt('the health of the cluster', () => elasticsearch.clusterHealth()),
    unexamined,
  }
}

function postgresChannel({ client, postgres }: Asked): Channel {
  // As pg reads the URL when it connects; opens nothing.
  const opened: object & { readonly host: string } = new pg.Client(postgres)
  const { host } = opened
  const ssl = 'ssl' in opened ? opened.ssl : null
  const stream = 'connection' in client ? (client.connection as { readonly stream?: unknown }).stream : null
  const here = host === '' || host.startsWith('/') || isLoopback(host)
  const lax =
    typeof ssl === 'object' && ssl !== null && 'rejectUnauthorized' in ssl && ssl.rejectUnauthorized === false
  return {
    server: 'Postgres',
    host,
    encrypted: here || stream instanceof TLSSocket,
    verified: !lax,
    validTo: stream instanceof TLSSocket ? validTo(stream.getPeerCertificate()) : null,
  }
}

async function searchChannels({ url, caFile }: ElasticsearchSettings): Promise<Channel[]> {
  const channels: Channel[] = []
  for (const node of url.split(',').map((text) => new URL(text.trim()))) {
    const { protocol, hostname: host } = node
    const server = 'Elasticsearch'
    if (protocol === 'http:')
      channels.push({ server, host, encrypted: isLoopback(host), verified: true, validTo: null })
    else
      channels.push({
        server,
        host,
        encrypted: true,
        verified: true,
        validTo: await certificateOf(node, caFile),
      })
  }
  return channels
}

/** A node that is away now is not this check's business. */
function certificateOf({ hostname, port }: URL, caFile: string | undefined): Promise<Date | null> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return new Promise((resolve) => {
    const ca = caFile === undefined ? {} : { ca: readCa(caFile) }
    const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
    const socket = connectTls({ host, port: Number(port || 443), timeout: 5_000, ...ca, ...name })
    const end = (found: Date | null) => {
      socket.destroy()
      resolve(found)
    }
    socket.once('secureConnect', () => end(validTo(socket.getPeerCertificate())))
    socket.once('error', () => end(null))
    socket.once('timeout', () => end(null))
  })
}

function validTo({ valid_to: text }: PeerCertificate): Date | null {
  const date = new Date(text)
  return Number.isNaN(date.getTime()) ? null : date
}
