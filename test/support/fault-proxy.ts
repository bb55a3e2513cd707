import {
  createServer as createHttpServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** What happens to a request instead of plain forwarding. */
export type Fault =
  /** Not forwarded; answered in the server's place. */
  | { readonly kind: 'answer'; readonly status: number; readonly contentType?: string; readonly body: string }
  /** Forwarded; the client gets the first half of the answer and the end of the connection. */
  | { readonly kind: 'cut-off' }
  /** Forwarded; the client gets the first half of the answer as if that were all. */
  | { readonly kind: 'shortened' }
  /** Forwarded, so that it is applied; the connection breaks instead of an answer. */
  | { readonly kind: 'reset-after' }
  /** Not forwarded; the connection breaks. */
  | { readonly kind: 'reset-before' }
  /** Not forwarded, never answered. */
  | { readonly kind: 'hang' }

export interface FaultProxy {
  readonly url: string
  /** Requests seen so far, as `POST /_bulk`. */
  readonly seen: readonly string[]
  /** Their `authorization` headers. */
  readonly authorizations: readonly (string | undefined)[]
  /** Applies a fault to every request whose path starts with `path`, until `heal`. */
  break(path: string, fault: Fault): void
  heal(): void
  close(): Promise<void>
}

/**
 * A proxy before the real server, for answers that a real server cannot be made to give: a load balancer's
 * page, a truncated answer, a reset after the fact. Everything else passes through unchanged.
 */
export async function startFaultProxy(
  target: string,
  tls?: { readonly key: string; readonly cert: string },
): Promise<FaultProxy> {
  const seen: string[] = []
  const authorizations: (string | undefined)[] = []
  let broken: { readonly path: string; readonly fault: Fault } | null = null

  const handle = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const path = incoming.url ?? '/'
    seen.push(`${incoming.method} ${path.replace(/\?.*/, '')}`)
    authorizations.push(incoming.headers.authorization)
    const fault = broken !== null && path.startsWith(broken.path) ? broken.fault : null
    incoming.on('error', () => outgoing.destroy())
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'reset-before') {
      incoming.socket.destroy()
      return
    }
    if (fault?.kind === 'answer') {
      incoming.resume().on('end', () => {
        outgoing.writeHead(fault.status, { 'content-type': fault.contentType ?? 'text/html' }).end(fault.body)
      })
      return
    }
    forward(target, incoming, outgoing, fault)
  }

  const server = tls === undefined ? createHttpServer(handle) : createHttpsServer(tls, handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    seen,
    authorizations,
    break: (path, fault) => {
      broken = { path, fault }
    },
    heal: () => {
      broken = null
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type AfterForwarding = Extract<Fault, { kind: 'cut-off' | 'shortened' | 'reset-after' }>

function forward(
  target: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: AfterForwarding | null,
): void {
  const { host: _host, connection: _connection, ...headers } = incoming.headers
  const onward = request(new URL(incoming.url ?? '/', target), { method: incoming.method ?? 'GET', headers })
  onward.on('error', () => outgoing.destroy())
  onward.on('response', (answer) => {
    const chunks: Buffer[] = []
    answer.on('data', (chunk: Buffer) => chunks.push(chunk))
    answer.on('end', () => {
      const body = Buffer.concat(chunks)
      const half = body.subarray(0, body.length >> 1)
      const { 'content-type': type = 'application/json' } = answer.headers
      const status = answer.statusCode ?? 502
      switch (fault?.kind) {
        case 'reset-after':
          incoming.socket.destroy()
          return
        case 'cut-off':
          outgoing.writeHead(status, { 'content-type': type, 'content-length': body.length })
          outgoing.write(half, () => incoming.socket.destroy())
          return
        case 'shortened':
          outgoing.writeHead(status, { 'content-type': type }).end(half)
          return
        case undefined:
          outgoing.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body)
      }
    })
  })
  incoming.pipe(onward)
}
