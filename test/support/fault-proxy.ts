import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Refusal, sieve } from './refused-items.ts'

/** A request that a fault is looked for. */
export interface FaultyRequest {
  /** Of its body, as its header says. */
  readonly bytes: number
}

/** What happens to a request instead of plain forwarding. */
export type Fault =
  /** Not forwarded; answered in the server's place. */
  | { readonly kind: 'answer'; readonly status: number; readonly contentType?: string; readonly body: string }
  /** Not forwarded; the connection breaks. */
  | { readonly kind: 'reset-before' }
  /** Not forwarded, never answered. */
  | { readonly kind: 'hang' }
  | AfterForwarding

type AfterForwarding =
  /** Forwarded; the client gets the first half of the answer and the end of the connection. */
  | { readonly kind: 'cut-off' }
  /** Forwarded; the client gets the first half of the answer as if that were all. */
  | { readonly kind: 'shortened' }
  /** Forwarded, so that it is applied; the connection breaks instead of an answer. */
  | { readonly kind: 'reset-after' }
  /** Forwarded, so that it is applied; never answered. */
  | { readonly kind: 'hang-after' }
  /** Forwarded so many milliseconds after the client has given it up: what is sent again overtakes it, or does not. */
  | { readonly kind: 'late'; readonly ms: number }
  /** Forwarded; the answer comes so many milliseconds later. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Of a bulk request: forwarded without the operations that are refused; the answer says so in their places. */
  | { readonly kind: 'refuse-items'; readonly refusal: () => Refusal | null }

type FaultOf = (request: FaultyRequest) => Fault | null

export interface FaultProxy {
  readonly url: string
  /** Requests seen so far, as `POST /_bulk`. */
  readonly seen: readonly string[]
  /** Their `authorization` headers. */
  readonly authorizations: readonly (string | undefined)[]
  /** Answers with status 200 that the server gave, and that the client did not get or got half of. */
  readonly lost: number
  /**
   * Applies a fault to every request whose path starts with `path`, until `heal`. A function is asked for each of them:
   * null lets it pass.
   */
  break(path: string, fault: Fault | FaultOf): void
  /** Applies a fault to those among them whose body holds `text`. */
  breakWhere(path: string, text: string, fault: Fault): void
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
  let lost = 0
  let broken: { readonly path: string; readonly fault: Fault | FaultOf; readonly text?: string } | null = null

  const faultOf = (path: string, { headers }: IncomingMessage): Fault | null => {
    if (broken === null || !path.startsWith(broken.path)) return null
    const bytes = Number(headers['content-length'] ?? 0)
    return typeof broken.fault === 'function' ? broken.fault({ bytes }) : broken.fault
  }
  const onLost = () => {
    lost += 1
  }
  const handle = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const path = incoming.url ?? '/'
    seen.push(`${incoming.method} ${path.replace(/\?.*/, '')}`)
    authorizations.push(incoming.headers.authorization)
    incoming.on('error', () => outgoing.destroy())
    const fault = faultOf(path, incoming)
    const text = fault === null ? undefined : broken?.text
    if (text === undefined) serve(incoming, outgoing, fault)
    else {
      collect(incoming)
        .then((body) => serve(incoming, outgoing, body.includes(text) ? fault : null, body))
        .catch(() => outgoing.destroy())
    }
  }
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault | null, body?: Buffer) => {
    switch (fault?.kind) {
      case 'hang':
        return
      case 'reset-before':
        incoming.socket.destroy()
        return
      case 'answer': {
        const answer = () =>
          outgoing
            .writeHead(fault.status, { 'content-type': fault.contentType ?? 'text/html' })
            .end(fault.body)
        if (body === undefined) incoming.resume().on('end', answer)
        else answer()
        return
      }
      default:
        pass({ target, incoming, outgoing, onLost, body }, fault).catch(() => outgoing.destroy())
    }
  }

  const server = tls === undefined ? createHttpServer(handle) : createHttpsServer(tls, handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    seen,
    authorizations,
    get lost() {
      return lost
    },
    break: (path, fault) => {
      broken = { path, fault }
    },
    breakWhere: (path, text, fault) => {
      broken = { path, fault, text }
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

interface Passing {
  readonly target: string
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly onLost: () => void
  /** Where it was read already. */
  readonly body: Buffer | undefined
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Buffer
}

/** Forwards a request, and its answer as the fault has it. Rejects where the server does not answer. */
async function pass(passing: Passing, fault: AfterForwarding | null): Promise<void> {
  const { incoming, outgoing, onLost } = passing
  const gone = new Promise<void>((resolve) => outgoing.on('close', () => resolve()))
  const body = passing.body ?? (await collect(incoming))
  if (fault?.kind === 'late') {
    await gone
    await delay(fault.ms)
    if ((await forward(passing, body)).status === 200) onLost()
    return
  }
  if (fault?.kind === 'refuse-items') {
    const { body: left, answered } = sieve(body.toString(), fault.refusal)
    const answer = left === '' ? null : await forward(passing, Buffer.from(left))
    if (answer !== null && answer.status !== 200) return reply(outgoing, answer)
    const whole = Buffer.from(answered(answer?.body.toString() ?? null))
    return reply(outgoing, { status: 200, type: answer?.type ?? 'application/json', body: whole })
  }
  const answer = await forward(passing, body)
  const half = answer.body.subarray(0, answer.body.length >> 1)
  // A client that has gone away by itself has lost nothing by us.
  const lose = () => {
    if (answer.status === 200 && !incoming.socket.destroyed) onLost()
  }
  switch (fault?.kind) {
    case 'reset-after':
      lose()
      incoming.socket.destroy()
      return
    case 'hang-after':
      lose()
      return
    case 'cut-off':
      lose()
      outgoing.writeHead(answer.status, { 'content-type': answer.type, 'content-length': answer.body.length })
      outgoing.write(half, () => incoming.socket.destroy())
      return
    case 'shortened':
      lose()
      outgoing.writeHead(answer.status, { 'content-type': answer.type }).end(half)
      return
    case 'slow':
      await delay(fault.ms)
      return reply(outgoing, answer)
    case undefined:
      return reply(outgoing, answer)
  }
}

function reply(outgoing: ServerResponse, { status, type, body }: Answer): void {
  outgoing.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body)
}

async function forward({ target, incoming }: Passing, body: Buffer): Promise<Answer> {
  const onward = request(new URL(incoming.url ?? '/', target), {
    method: incoming.method ?? 'GET',
    headers: onwardHeaders(incoming.headers, body),
  })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    onward.on('response', resolve)
    onward.on('error', reject)
  })
  onward.end(body)
  const answer = await answered
  const { 'content-type': type = 'application/json' } = answer.headers
  return { status: answer.statusCode ?? 502, type, body: await collect(answer) }
}

function onwardHeaders(headers: IncomingHttpHeaders, body: Buffer): IncomingHttpHeaders {
  const { host: _host, connection: _connection, 'transfer-encoding': _encoding, ...others } = headers
  const { 'content-length': _length, ...rest } = others
  return body.length === 0 ? rest : { ...rest, 'content-length': String(body.length) }
}

async function collect(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
