import type { AddressInfo } from 'node:net'
import { ConfigError } from '../errors.ts'
import { createPool } from '../postgres/connect.ts'
import { adminApp } from './app.ts'
import type { Admin } from './types.ts'

/** Pages that are looked at together: a dashboard asks for three or four things at once. */
const POOL_SIZE = 4

/** Somebody is waiting in front of it. */
const STATEMENT_TIMEOUT_MS = 20_000

/** Requests under way get so long to end: they wait for a statement at most. */
const CLOSE_TIMEOUT_MS = 5_000

export interface AdminServer {
  /** `http://127.0.0.1:9187` */
  readonly url: string
  /** Takes no further request, lets those under way end, and closes. */
  close(): Promise<void>
}

export type AdminOptions = Omit<Admin, 'pool' | 'metrics'> & Partial<Pick<Admin, 'metrics'>>

/**
 * Serves HTTP for operators beside a daemon; null where it is off, and where the port is taken: another instance of this
 * machine serves the same. Throws a ConfigError for an address that cannot be listened on.
 */
export async function startAdmin(options: AdminOptions): Promise<AdminServer | null> {
  const { settings, postgres, instance, log } = options
  const { host, port } = settings
  if (port === null) return null
  const pool = createPool(postgres, {
    max: POOL_SIZE,
    applicationName: `sluice ${instance} http`,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  })
  const app = await adminApp({ metrics: null, ...options, pool })
  let closing: Promise<void> | undefined
  const closeOnce = async () => {
    const late = setTimeout(() => app.server.closeAllConnections(), CLOSE_TIMEOUT_MS)
    await app.close()
    clearTimeout(late)
    await pool.end()
  }
  const close = () => {
    closing ??= closeOnce()
    return closing
  }
  try {
    await app.listen({ host, port })
  } catch (error) {
    await close()
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'EADDRINUSE') throw cannotListen(host, port, error)
    log.warn({ host, port }, 'the port is taken: this instance runs without HTTP')
    return null
  }
  const url = urlOf(app.server.address() as AddressInfo)
  log.info({ url, changes: settings.token !== null }, 'HTTP for operators')
  return { url, close }
}

function cannotListen(host: string, port: number, error: unknown): ConfigError {
  const reason = error instanceof Error ? error.message : String(error)
  return new ConfigError(`cannot listen on ${host}, port ${port} (${reason})`, {
    where: 'ADMIN_HOST, ADMIN_PORT',
    remedy:
      'Name an address of this machine and a port that this user may take, or switch it off: ADMIN_PORT=off.',
    cause: error,
  })
}

function urlOf({ address, port, family }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
