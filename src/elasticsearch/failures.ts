import { ConfigError, FailedError, IncompleteError, type SluiceError, UnreachableError } from '../errors.ts'
import type { HttpAnswer, TransportFailure } from './http.ts'
import { errorType } from './outcome.ts'
import { describeBody, errorOf, parseObject } from './outcome-request.ts'
import { plainReason } from './redact.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** Statuses that say "not now": the server, or a proxy before it, is away or overloaded. */
const away = new Set([408, 429, 502, 503, 504])

/** What a request that did not succeed means for whoever asked for it (indices, templates, listings: not documents). */
export function failureError(answer: HttpAnswer | TransportFailure, doing: string): SluiceError {
  const where = `Elasticsearch at ${answer.node}`
  if (answer.kind !== 'answer') return unreachable(answer)
  const { status, text } = answer
  const body = parseObject(text)
  const error = errorOf(body)
  if (error === undefined || body === null) {
    return new UnreachableError(`answered status ${status} with ${describeBody(text)} while ${doing}`, {
      where,
      remedy:
        refusalRemedy(status) ?? 'check that ELASTICSEARCH_URL leads to Elasticsearch or OpenSearch itself',
    })
  }
  const type = errorType(error, status)
  const what = `${type} while ${doing}: ${plainReason(error)}`
  const remedy = refusalRemedy(status)
  if (remedy !== undefined && type !== 'cluster_block_exception')
    return new UnreachableError(what, { where, remedy, status })
  if (away.has(status) && type !== 'cluster_block_exception') {
    return new UnreachableError(what, { where, remedy: 'try again when the cluster has recovered', status })
  }
  // Of a 400, what was asked for is at fault: mappings and settings come from the configuration.
  return status === 400 ? new ConfigError(what, { where }) : new FailedError(what, { where })
}

/** No answer at all. */
export function unreachable({ kind, message, node }: TransportFailure): UnreachableError {
  const remedy =
    kind === 'tls_error'
      ? 'check the scheme of ELASTICSEARCH_URL, and set ELASTICSEARCH_CA_FILE to the authority that signed the certificate'
      : kind === 'timeout'
        ? 'check that it is up and not overloaded, or raise REQUEST_TIMEOUT'
        : 'check that it is running, and ELASTICSEARCH_URL'
  return new UnreachableError(message, { where: `Elasticsearch at ${node}`, remedy })
}

/** What to check where the server knows us too little (401) or lets us do too little (403). */
export function refusalRemedy(status: number): string | undefined {
  if (status === 401) {
    return 'check ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD: missing, wrong or expired'
  }
  if (status === 403) {
    return 'grant the user or API key the cluster privileges monitor and manage_index_templates, and all on each alias and its indices (cities, cities-*)'
  }
  return undefined
}

/** The answer's JSON object, or the error that it means. */
export function objectOf(answer: HttpAnswer | TransportFailure, doing: string): JsonObject {
  if (answer.kind === 'answer' && answer.status < 300) {
    const body = parseObject(answer.text)
    if (body !== null) return body
  }
  throw failureError(answer, doing)
}

/** One document of many got an error instead of an answer. A missing index stays missing; anything else may pass. */
export function noAnswerOf(
  index: string,
  type: string | undefined,
  doing: string,
  nodes: string,
): FailedError {
  const what = `no answer for a document of ${index} while ${doing}: ${type ?? 'no reason given'}`
  const details = { where: `Elasticsearch at ${nodes}`, remedy: 'look at the health of that index' }
  return type === 'index_not_found_exception'
    ? new FailedError(what, details)
    : new IncompleteError(what, details)
}

/** True for Elasticsearch's own 404, which a caller may take for "there is none". */
export function isAbsent(answer: HttpAnswer | TransportFailure): boolean {
  return answer.kind === 'answer' && answer.status === 404 && errorOf(parseObject(answer.text)) !== undefined
}
