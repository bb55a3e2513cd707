import { Client, errors, Serializer, Transport, type TransportOptions } from '@elastic/elasticsearch'
import type { ElasticsearchSettings } from '../config/types.ts'
import { authOf, bareUrl, hostPort, nodeUrls, readCa } from './nodes.ts'

/** One HTTP exchange with the cluster. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD'
  /** With its parts percent-encoded (`pathOf`). */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Readonly<Record<string, unknown>>
  /** A bulk body, sent byte for byte. */
  readonly ndjson?: Buffer
}

/** What a server answered, whatever its status: text, for proxies answer too. */
export interface HttpAnswer {
  readonly kind: 'answer'
  readonly status: number
  readonly text: string
  /** host:port that answered. */
  readonly node: string
}

/** No answer. `connect_error`: nothing was sent; `tls_error`: the certificate or protocol is wrong; otherwise it may have been applied. */
export interface TransportFailure {
  readonly kind: 'timeout' | 'connect_error' | 'connection_error' | 'tls_error'
  readonly message: string
  readonly node: string
}

export interface Http {
  /** The cluster's nodes as host:port, for messages; never credentials. */
  readonly nodes: string
  /** Never throws for what a server or a network does. */
  send(request: HttpRequest): Promise<HttpAnswer | TransportFailure>
  /** Gives up all requests under way, and every later one: their outcome is unknown. */
  abort(): void
  close(): Promise<void>
}

/** After the headers came, an answer's body may take this much longer than the request's time-out. */
const bodyGraceMs = 5_000

/**
 * The client without what is particular to Elasticsearch 9: its media type is refused by Elasticsearch 8 (400) and
 * by OpenSearch (406), and its product check refuses OpenSearch. One build works with all three.
 */
class PlainTransport extends Transport {
  constructor({ productCheck: _productCheck, ...options }: TransportOptions) {
    super({
      ...options,
      vendoredHeaders: {
        jsonContentType: 'application/json',
        ndjsonContentType: 'application/x-ndjson',
        accept: 'application/json',
      },
      openTelemetry: { enabled: false },
    })
  }
}

/**
 * Leaves answers as text. We parse them ourselves: the client would throw away what a proxy or a truncated answer
 * said, and refuse a document that has a field named `__proto__`.
 */
class TextSerializer extends Serializer {
  override deserialize<T>(json: string): T
  override deserialize(json: string): unknown {
    return json
  }
}

/** Opens no connection yet. Throws ConfigError for a URL or a CA file that cannot be used. */
export function openHttp(
  settings: ElasticsearchSettings,
  { requestTimeoutMs }: { requestTimeoutMs: number },
): Http {
  const urls = nodeUrls(settings.url)
  const auth = authOf(settings, urls)
  const client = new Client({
    nodes: urls.map((url) => bareUrl(url)),
    ...(auth === undefined ? {} : { auth }),
    // Said, so that NODE_TLS_REJECT_UNAUTHORIZED does not take it back.
    tls: {
      rejectUnauthorized: true,
      ...(settings.caFile === undefined ? {} : { ca: readCa(settings.caFile) }),
    },
    Transport: PlainTransport,
    Serializer: TextSerializer,
    // The built-in policy sends a 502, 503 or 504 four times within 5 ms. Ours is in sync/.
    maxRetries: 0,
    sniffOnStart: false,
    sniffOnConnectionFault: false,
    compression: false,
    enableMetaHeader: false,
    // Otherwise each error is a deep copy of its request, byte by byte of the body. No error leaves this file.
    redaction: { type: 'off' },
  })
  const nodes = urls.map(hostPort).join(', ')
  const underWay = new Set<AbortController>()
  let givenUp = false

  async function send({
    method,
    path,
    query,
    body,
    ndjson,
  }: HttpRequest): Promise<HttpAnswer | TransportFailure> {
    // A signal of this request's own: the client aborts *through* the caller's signal when a request takes too
    // long, and a shared one would end every other request with it. The client's time-out ends with the headers;
    // the deadline bounds the body too.
    const abort = new AbortController()
    const deadline = setTimeout(() => abort.abort(), requestTimeoutMs + bodyGraceMs)
    underWay.add(abort)
    if (givenUp) abort.abort()
    const params = {
      method,
      path,
      ...(query === undefined ? {} : { querystring: query }),
      ...(body === undefined ? {} : { body }),
      ...(ndjson === undefined ? {} : { bulkBody: ndjson }),
    }
    try {
      const result = await client.transport.request<string | boolean | undefined>(params, {
        meta: true,
        signal: abort.signal,
        requestTimeout: requestTimeoutMs,
      })
      return {
        kind: 'answer',
        status: result.statusCode ?? 0,
        text: textOf(result.body),
        node: nodeOf(result.meta.connection, nodes),
      }
    } catch (error) {
      if (error instanceof errors.ResponseError) {
        const { statusCode, body: text, meta } = error.meta
        return {
          kind: 'answer',
          status: statusCode ?? 0,
          text: textOf(text),
          node: nodeOf(meta.connection, nodes),
        }
      }
      if (givenUp)
        return { kind: 'connection_error', message: `given up on ${nodes}: sluice ends`, node: nodes }
      return failureOf(error, abort.signal.aborted, nodes, requestTimeoutMs)
    } finally {
      underWay.delete(abort)
      clearTimeout(deadline)
    }
  }

  const abort = () => {
    givenUp = true
    for (const request of underWay) request.abort()
  }
  return { nodes, send, abort, close: () => client.close() }
}

/** `/cities/_doc/a%2Fb`: parts percent-encoded. */
export function pathOf(...parts: readonly string[]): string {
  return parts.map((part) => `/${encodeURIComponent(part)}`).join('')
}

function textOf(body: unknown): string {
  return typeof body === 'string' ? body : ''
}

function nodeOf(connection: { readonly url: URL } | null, fallback: string): string {
  return connection === null ? fallback : hostPort(connection.url)
}

/** The client's errors carry the whole request, documents included, so only their words are kept. */
function failureOf(error: unknown, late: boolean, nodes: string, timeoutMs: number): TransportFailure {
  const meta = error instanceof errors.ElasticsearchClientError && 'meta' in error ? error.meta : undefined
  const node = nodeOf(connectionIn(meta), nodes)
  if (late || error instanceof errors.TimeoutError) {
    return { kind: 'timeout', message: `no answer from ${node} within ${timeoutMs} ms`, node }
  }
  const words = error instanceof Error ? error.message : String(error)
  // Its own wording of an error without a message repeats the URL.
  const said = words.startsWith('connection failed') ? '' : `: ${inWords(words)}`
  if (
    /certificate|self.signed|altname|unable to verify|wrong version number|\bSSL\b|\bTLS\b|EPROTO/i.test(
      words,
    )
  ) {
    return { kind: 'tls_error', message: `no secure connection to ${node}${said}`, node }
  }
  if (
    said === '' ||
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|Connect Timeout/i.test(words)
  ) {
    return { kind: 'connect_error', message: `cannot connect to ${node}${said}`, node }
  }
  return { kind: 'connection_error', message: `the connection to ${node} broke${said}`, node }
}

/** `401D…:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:…/tlsany_meth.c:77:` → its words. */
function inWords(message: string): string {
  const openssl = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1]
  return openssl ?? message
}

function connectionIn(meta: unknown): { readonly url: URL } | null {
  if (typeof meta !== 'object' || meta === null || !('meta' in meta)) return null
  const inner = meta.meta
  if (typeof inner !== 'object' || inner === null || !('connection' in inner)) return null
  const connection = inner.connection
  if (typeof connection !== 'object' || connection === null || !('url' in connection)) return null
  return connection.url instanceof URL ? { url: connection.url } : null
}
