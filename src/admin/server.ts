import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { ConfigError, describeError } from '../errors.ts'
import { Ending, endablePool } from './ending.ts'
import type { Admin } from './types.ts'

/** Pages that are looked at together: a dashboard asks for three or four things at once. */
const POOL_SIZE = 4

/** Somebody is waiting in front of it. */
const STATEMENT_TIMEOUT_MS = 20_000

/** Whoever has sent nothing whole by then never will. */
const TIMEOUTS = { requestTimeout: 10_000, keepAliveTimeout: 5_000 }

/** No byte in either direction for so long: whoever was there is gone. */
const SILENT_MS = 30_000

export interface AdminServer {
  /** `http://127.0.0.1:9187` */
  readonly url: string
  /** Takes no further request, lets those under way end for five seconds, breaks them off, and closes: 11 s at most. */
  close(): Promise<void>
}

export type AdminOptions = Omit<Admin, 'pool' | 'metrics' | 'ending'> & Partial<Pick<Admin, 'metrics'>>

/**
 * Serves HTTP for operators beside a daemon; null where it is off, and where the port is taken: another instance of this
 * machine serves the same. Throws a ConfigError for an address that cannot be listened on.
 */
export async function startAdmin(options: AdminOptions): Promise<AdminServer | null> {
  const { settings, postgres, instance, log } = options
  const { host, port } = settings
  if (port === null) return null
  const pool = endablePool(postgres, instance, { max: POOL_SIZE, statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  const ending = new Ending()
  const pages = new Pages({ metrics: null, ...options, pool, ending })
  const server = createServer(TIMEOUTS, (request, response) => void pages.answer(request, response))
  server.setTimeout(SILENT_MS)
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
  })
  let closing: Promise<void> | undefined
  const closeOnce = async () => {
    const ended = server.listening ? stopListening(server) : undefined
    const answered = Promise.allSettled([pages.close(), ended])
    await ending.run(pool, postgres, { answered, hangUp: () => server.closeAllConnections() })
  }
  const close = () => {
    closing ??= closeOnce()
    return closing
  }
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    await close()
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'EADDRINUSE') throw cannotListen(host, port, error)
    log.warn({ host, port }, 'the port is taken: this instance runs without HTTP')
    return null
  }
  // A connection that cannot be accepted (no file handle is left) is no reason for the daemon to end.
  server.on('error', (error) => log.error({ reason: describeError(error) }, 'a connection was not accepted'))
  const url = urlOf(server.address() as AddressInfo)
  log.info({ url, changes: settings.token !== null }, 'HTTP for operators')
  return { url, close }
}

/**
 * The pages, loaded and put together at the first request: fastify, its plugins and the schemas of all answers take 14 MB,
 * which a daemon that nobody asks never pays.
 */
class Pages {
  readonly #admin: Admin
  #app: Promise<FastifyInstance> | undefined

  constructor(admin: Admin) {
    this.#admin = admin
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#app ??= this.#load()
    const app = await this.#app.catch((error: unknown) => {
      // The next request tries again: a file that an update was replacing is there by then.
      this.#app = undefined
      this.#admin.log.error({ reason: describeError(error) }, 'HTTP for operators cannot be loaded')
    })
    if (app === undefined) response.writeHead(500, { connection: 'close' }).end()
    else app.routing(request, response)
  }

  async #load(): Promise<FastifyInstance> {
    const { adminApp } = await import('./app.ts')
    const app = await adminApp(this.#admin)
    await app.ready()
    return app
  }

  async close(): Promise<void> {
    const app = await this.#app?.catch(() => undefined)
    await app?.close()
  }
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
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
