import type { HttpAnswer, HttpRequest, TransportFailure } from '../../src/elasticsearch/http.ts'
import type { ReplaceableHttp } from '../../src/elasticsearch/replaceable-http.ts'
import { type Actor, actor, type Stepper } from './scheduler.ts'

/**
 * What of Elasticsearch a batch can notice, in memory: external versions with `external_gte`, tombstones (for ever: no run
 * lasts as long as `index.gc_deletes`), items and requests that are refused, indices that take no writes. It answers in
 * JSON, which the real client reads; the contract test holds it to what a real one answers.
 */

interface Stored {
  readonly version: bigint
  /** Null: a tombstone. */
  readonly source: string | null
}

/** What a title makes of its document: one that no index takes, one whose request breaks the connection. */
export const BAD_TITLE = 'bad'
export const MUTE_TITLE = 'mute'

/** Why an item is refused although the document is in order. */
type ItemRefusal = 429 | 503

/** What becomes of a request instead of an answer. */
export type RequestFault =
  /** It never arrives; the client waits for its time-out, or its connection breaks. */
  | { readonly kind: 'lost' | 'broken' }
  /** It is applied; so much later, for which the client may not wait. */
  | { readonly kind: 'late'; readonly afterMs: number }
  /** It is applied; the connection breaks instead of the answer, or the answer never comes. */
  | { readonly kind: 'answer-lost' | 'answer-broken' }
  | { readonly kind: 'status'; readonly status: 429 | 502 | 503 | 401 }

interface ElasticsearchFaults {
  request(): RequestFault | null
  item(): ItemRefusal | null
  /** Bytes of a request above which the answer is 413. */
  mostBytes(): number
}

const NO_FAULTS: ElasticsearchFaults = {
  request: () => null,
  item: () => null,
  mostBytes: () => Number.POSITIVE_INFINITY,
}

export class MemoryElasticsearch {
  readonly indices = new Map<string, Map<string, Stored>>()
  readonly blocked = new Set<string>()
  down = false
  readonly #faults: ElasticsearchFaults
  readonly #onWentBack: (index: string, id: string, from: bigint, to: bigint) => void
  readonly #onSeen: (what: string) => void

  constructor(
    faults: ElasticsearchFaults = NO_FAULTS,
    onWentBack: (index: string, id: string, from: bigint, to: bigint) => void = () => {},
    onSeen: (what: string) => void = () => {},
  ) {
    this.#faults = faults
    this.#onWentBack = onWentBack
    this.#onSeen = onSeen
  }

  makeIndex(name: string): void {
    this.indices.set(name, new Map())
  }

  /** The document's text, or null. */
  source(index: string, id: string): string | null {
    return this.indices.get(index)?.get(id)?.source ?? null
  }

  /** A client's connection. */
  http(stepper: Stepper, who: Actor, requestTimeoutMs: number): ReplaceableHttp {
    const network = actor(`Elasticsearch, of ${who.name}`)
    return {
      nodes: 'memory',
      send: (request) => this.#send({ stepper, who, network, requestTimeoutMs }, request),
      useCredentials: () => false,
      abort: () => undefined,
      close: () => Promise.resolve(),
    }
  }

  #send(
    { stepper, who, network, requestTimeoutMs }: Connection,
    request: HttpRequest,
  ): Promise<HttpAnswer | TransportFailure> {
    const fault = this.#faults.request()
    return new Promise((resolve) => {
      let over = false
      const answer = (text: string, result: HttpAnswer | TransportFailure, afterMs?: number) =>
        stepper.step(
          who,
          `is answered ${text} to ${request.path}`,
          () => {
            over = true
            resolve(result)
          },
          // Whichever comes first: an answer, or the end of the wait for it.
          { ...(afterMs === undefined ? {} : { afterMs }), abandoned: () => over },
        )
      const broken = (kind: 'connection_error' | 'connect_error', message: string) =>
        answer(kind, { kind, message, node: 'memory' })
      const timeout = () => answer('nothing in time', TIMEOUT, requestTimeoutMs)

      if (fault?.kind === 'lost') timeout()
      else if (fault?.kind === 'broken') broken('connection_error', 'the connection broke')
      else if (fault?.kind === 'status') answer(String(fault.status), refusal(fault.status))
      else {
        timeout()
        const afterMs = fault?.kind === 'late' ? { afterMs: fault.afterMs } : {}
        stepper.step(
          network,
          () => `${requestText(request)}${fault === null ? '' : ` (${fault.kind})`}`,
          () => {
            if (this.down) return broken('connect_error', 'cannot connect')
            if (isMute(request)) return broken('connection_error', 'the connection broke')
            const result = this.#answer(request)
            if (fault?.kind === 'answer-broken') return broken('connection_error', 'the connection broke')
            if (fault?.kind !== 'answer-lost') return answer(String(result.status), result)
            return undefined
          },
          afterMs,
        )
      }
    })
  }

  #answer({ method, path, body, ndjson }: HttpRequest): HttpAnswer {
    const [, first = '', second = '', third = ''] = path.split('/').map(decodeURIComponent)
    if (path === '/_bulk' && ndjson !== undefined) return this.#bulk(ndjson)
    if (path === '/_cluster/health') return json(200, { cluster_name: 'memory' })
    if (path === '/_mget') return this.#mget(body as unknown as Mget)
    if (method === 'GET' && second === '_count') {
      const live = [...(this.indices.get(first)?.values() ?? [])].filter(({ source }) => source !== null)
      return json(200, { count: live.length, _shards: { total: 1, successful: 1, failed: 0 } })
    }
    if (method === 'GET' && second === '_doc') {
      const stored = this.indices.get(first)?.get(third)
      if (stored === undefined || stored.source === null) return json(404, { found: false })
      return {
        ...json(200, {}),
        text: `{"found":true,"_version":${stored.version},"_source":${stored.source}}`,
      }
    }
    return json(400, { error: { type: 'illegal_argument_exception', reason: `no handler for ${path}` } })
  }

  #mget({ docs }: Mget): HttpAnswer {
    return json(200, {
      docs: docs.map(({ _index, _id }) => {
        const index = this.indices.get(_index)
        return index === undefined
          ? { error: { type: 'index_not_found_exception' } }
          : { found: (index.get(_id)?.source ?? null) !== null }
      }),
    })
  }

  #bulk(ndjson: Buffer): HttpAnswer {
    if (ndjson.length > this.#faults.mostBytes()) {
      this.#onSeen('a request that is too large')
      return json(413, {})
    }
    const items = actionsOf(ndjson).map((action) => this.#item(action))
    return json(200, {
      took: 1,
      errors: items.some(({ error }) => error !== undefined),
      items: items.map(named),
    })
  }

  #item(action: Action): Item {
    const { kind, index: name, id, source } = action
    const index = this.indices.get(name)
    const fail = (status: number, type: string, reason: string): Item => ({
      kind,
      status,
      error: { type, reason },
    })
    if (index === undefined) return fail(404, 'index_not_found_exception', `no such index [${name}]`)
    if (this.blocked.has(name)) {
      const reason = `index [${name}] blocked by: [FORBIDDEN/8/index write (api)];`
      return fail(403, 'cluster_block_exception', reason)
    }
    const refused = this.#faults.item()
    if (refused === 429) return fail(429, 'es_rejected_execution_exception', 'rejected execution of bulk')
    if (refused === 503) return fail(503, 'unavailable_shards_exception', 'primary shard is not active')
    if (source?.includes(`"title":"${BAD_TITLE}`) === true) {
      return fail(400, 'document_parsing_exception', 'failed to parse field [title]')
    }
    const stored = index.get(id)
    if (action.version !== null && stored !== undefined && stored.version > action.version) {
      const reason = `[${id}]: version conflict, current version [${stored.version}] is higher than the one provided [${action.version}]`
      this.#onSeen('an operation that is superseded')
      return fail(409, 'version_conflict_engine_exception', reason)
    }
    const there = stored !== undefined && stored.source !== null
    // Without one it counts by itself, and whoever comes last wins.
    const version = action.version ?? (stored?.version ?? 0n) + 1n
    if (stored !== undefined && version < stored.version) this.#onWentBack(name, id, stored.version, version)
    index.set(id, { version, source })
    if (kind === 'delete') return { kind, status: there ? 200 : 404, result: there ? 'deleted' : 'not_found' }
    return { kind, status: there ? 200 : 201, result: there ? 'updated' : 'created' }
  }
}

interface Connection {
  readonly stepper: Stepper
  /** The client. */
  readonly who: Actor
  /** Lives on when the client is dead: what was sent is applied all the same. */
  readonly network: Actor
  readonly requestTimeoutMs: number
}

interface Mget {
  readonly docs: readonly { readonly _index: string; readonly _id: string }[]
}

interface Action {
  readonly kind: 'index' | 'delete'
  readonly index: string
  readonly id: string
  readonly version: bigint | null
  readonly source: string | null
}

interface Item {
  readonly kind: 'index' | 'delete'
  readonly status: number
  readonly result?: string
  readonly error?: { readonly type: string; readonly reason: string }
}

const named = ({ kind, ...item }: Item) => ({ [kind]: item })

const TIMEOUT: TransportFailure = { kind: 'timeout', message: 'no answer in time', node: 'memory' }

function json(status: number, body: unknown): HttpAnswer {
  return { kind: 'answer', status, text: JSON.stringify(body), node: 'memory' }
}

function refusal(status: number): HttpAnswer {
  const type = { 429: 'es_rejected_execution_exception', 502: 'bad_gateway' }[status] ?? 'unavailable'
  return json(status, { error: { type, reason: 'refused' }, status })
}

/** A bulk body's lines; versions to the last digit. */
function actionsOf(ndjson: Buffer): readonly Action[] {
  const lines = ndjson.toString('utf8').split('\n').slice(0, -1)
  const actions: Action[] = []
  for (let n = 0; n < lines.length; n++) {
    const line = lines[n] ?? ''
    const parsed = JSON.parse(line) as Partial<Record<'index' | 'delete', { _index: string; _id: string }>>
    const kind = parsed.delete === undefined ? 'index' : 'delete'
    const meta = parsed[kind]
    if (meta === undefined) throw new Error(`no action: ${line}`)
    const digits = /"version":(\d+),"version_type":"external_gte"/.exec(line)?.[1]
    const version = digits === undefined ? null : BigInt(digits)
    const source = kind === 'index' ? (lines[++n] ?? '') : null
    actions.push({ kind, index: meta._index, id: meta._id, version, source })
  }
  return actions
}

function isMute({ ndjson }: HttpRequest): boolean {
  return ndjson?.includes(`"title":"${MUTE_TITLE}`) === true
}

function requestText({ method, path, ndjson }: HttpRequest): string {
  if (ndjson === undefined) return `${method} ${path}`
  const words = actionsOf(ndjson).map(
    ({ kind, index, id, version, source }) =>
      `${kind} ${index}/${id} @${version ?? 'none'}${source === null ? '' : ` ${source}`}`,
  )
  return `${method} ${path}: ${words.join(' | ')}`
}
