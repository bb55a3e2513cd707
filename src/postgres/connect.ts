import pg from 'pg'
import { UnreachableError } from '../errors.ts'

export interface PoolOptions {
  readonly max: number
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  /**
   * A statement that has had no answer for this long is taken for lost, in milliseconds; default: none is.
   * The client's own clock, for two reasons: it also ends the wait for a server that has gone silent, and a
   * `statement_timeout` in the startup packet is refused by PgBouncer.
   */
  readonly statementTimeoutMs?: number
}

/** Opens nothing yet. An idle client's death, or a checked-out one's between two statements, never crashes us. */
export function createPool(url: string, { max, applicationName, statementTimeoutMs }: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    application_name: applicationName,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(statementTimeoutMs === undefined ? {} : { query_timeout: statementTimeoutMs }),
  })
  pool.on('error', ignore)
  // The pool listens to idle clients only: one that is cut off while a batch holds it would end the process with an
  // unhandled 'error' event. Its next statement says so.
  pool.on('connect', (client) => client.on('error', ignore))
  return pool
}

/** Closes the connections that nobody uses at present: they may lead to a server that this address names no more. */
export async function closeIdle(pool: pg.Pool): Promise<void> {
  const idle = await Promise.allSettled(Array.from({ length: pool.idleCount }, () => pool.connect()))
  for (const client of idle) if (client.status === 'fulfilled') client.value.release(true)
}

function ignore(): void {}

/** SQLSTATE of a Postgres error: five characters. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const { code } = error
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !nodeCodes.has(code) ? code : undefined
}

/** System errors of a socket or a name lookup. EPIPE has five characters, like an SQLSTATE. */
const nodeCodes = new Set([
  'EPIPE',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
])

/**
 * Connection exceptions (08); the server shuts down, crashed, or is not up yet (57P01 to 57P05); too many connections
 * (53300); our session was cut for idling (25P03, 25P04); wrong credentials (28) or database (3D000).
 */
const connectionStates = /^(08...|57P0[1-5]|53300|25P0[34]|28...|3D000)$/

/** A certificate that is not trusted, is another host's or has expired; no TLS at the other end. */
const tlsCodes =
  /^(EPROTO|ERR_TLS_\w+|ERR_SSL_\w+|CERT_\w+|UNABLE_TO_\w+|(DEPTH_ZERO_)?SELF_SIGNED_CERT\w*|ERROR_IN_CERT\w+|HOSTNAME_MISMATCH)$/

/** pg's own errors carry no code. */
const connectionMessages =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client (has encountered a connection error|was closed) and is not queryable|The server does not support SSL)/i

/** True when Postgres does not answer or refuses us; false when it answered and refused a statement. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const state = sqlState(error)
  if (state !== undefined) return connectionStates.test(state)
  if ('code' in error && typeof error.code === 'string')
    if (nodeCodes.has(error.code) || tlsCodes.test(error.code)) return true
  return connectionMessages.test(error.message)
}

/** Names host, port, database and user of a connection URL, never the password. */
export function connectionError(error: unknown, url: string): UnreachableError {
  const reason =
    error instanceof Error
      ? error.message || String('code' in error ? error.code : error.name)
      : String(error)
  const state = sqlState(error) ?? ''
  const refused = state.startsWith('28') || state === '3D000'
  return new UnreachableError(
    `Postgres ${refused ? 'refuses the connection' : 'does not answer'}: ${reason}`,
    {
      where: addressOf(url),
      remedy: remedyFor(error, refused),
      cause: error,
    },
  )
}

function remedyFor(error: unknown, refused: boolean): string {
  if (refused) return 'Check user, password and database in DATABASE_URL.'
  if (error instanceof Error && /^The server does not support SSL/i.test(error.message)) {
    return 'Servers off this machine are spoken to in TLS. Switch it on there (ssl = on), or allow plaintext to this host by name: PLAINTEXT_HOSTS.'
  }
  if (error instanceof Error && 'code' in error && tlsCodes.test(String(error.code))) {
    return 'Its certificate has to be valid for the host in DATABASE_URL; an authority of your own is named there by sslrootcert=<PEM file>.'
  }
  return 'Check that the server runs and that DATABASE_URL names it.'
}

/** host:port/database of a connection URL. */
export function addressOf(url: string): string {
  try {
    // Parses as pg will when it connects, PGHOST and its like included; opens nothing.
    const { host, port, database } = new pg.Client(url)
    return `${host}:${port}/${database ?? ''}`
  } catch {
    return 'DATABASE_URL'
  }
}
