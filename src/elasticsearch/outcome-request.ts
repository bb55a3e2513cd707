/**
 * What the answer to a whole bulk request means: its items' verdicts, or why there are none. Pure.
 *
 * | answer                                                     | verdict                                              |
 * |------------------------------------------------------------|------------------------------------------------------|
 * | 200 with one item for each operation                       | answered                                             |
 * | time-out, reset, 408, 429, 5xx, 200 that makes no sense    | unknown: give the marks back, the same again later   |
 * | 401, 403, 406, a cluster-wide block, not Elasticsearch     | blocked: pause, say why                              |
 * | 413                                                        | too-large: halve                                     |
 * | 400 in Elasticsearch's own words                           | refused: bisect                                      |
 *
 * A 400 that is *not* in its words (a proxy's page, "plain HTTP request sent to HTTPS port") is blocked: bisecting
 * it would declare every document dead.
 */
import type { TransportFailure } from './http.ts'
import { classifyItem, errorType, isTotalFieldsLimit } from './outcome.ts'
import { type ErrorBody, plainReason, redactReason } from './redact.ts'
import type { BulkAnswer, ItemVerdict, Operation } from './types.ts'

/** What we ask a bulk answer for: positions are kept, and a third of the bytes remain. */
export const bulkFilterPath = 'took,errors,error,status,items.*.status,items.*.result,items.*.error'

/** A document may be the cause. Not of a 503, of what Elasticsearch says of who asks, nor where we never connected. */
const SUSPICIOUS = { suspicious: true } as const

interface Item {
  readonly status?: unknown
  readonly result?: string
  readonly error?: ErrorBody
}

/**
 * The verdict on the answer to a bulk request.
 * @param body the answer's text
 * @param expected the operations that were sent, in their order
 */
export function classifyResponse(status: number, body: string, expected: readonly Operation[]): BulkAnswer {
  const answer = parseObject(body)
  if (status === 200) return classifyItems(answer, body, expected)
  const error = errorOf(answer)
  const type = errorType(error, status)
  const reason = error === undefined ? `status ${status}: ${describeBody(body)}` : redactReason(error)
  if (status === 413) {
    return {
      outcome: 'too-large',
      reason: 'status 413: larger than the server, or a proxy before it, accepts',
    }
  }
  if (type === 'cluster_block_exception' && status !== 503) {
    return { outcome: 'blocked', type, reason: plainReason(error ?? {}) }
  }
  if (status === 408 || status === 429 || status >= 500 || status < 300)
    return { outcome: 'unknown', type, reason, ...(status === 503 ? {} : SUSPICIOUS) }
  if (status === 400 && error?.type !== undefined && !isOurFault(error))
    return { outcome: 'refused', type, reason }
  if (status === 401 || status === 403) {
    const why = error === undefined ? reason : plainReason(error)
    if (status === 401) return { outcome: 'blocked', type, reason: why, unauthorized: true }
    return { outcome: 'blocked', type, reason: why, ...(error === undefined ? SUSPICIOUS : {}) }
  }
  return { outcome: 'blocked', type, reason, ...(error === undefined ? SUSPICIOUS : {}) }
}

/** 400s about the request's form, not about an operation: halving it would not help. */
function isOurFault(error: ErrorBody): boolean {
  return (
    error.type === 'media_type_header_exception' || /contains unrecognized parameter/.test(error.reason ?? '')
  )
}

function classifyItems(
  answer: Readonly<Record<string, unknown>> | null,
  body: string,
  expected: readonly Operation[],
): BulkAnswer {
  if (answer === null) {
    const reason = `status 200: ${describeBody(body)}`
    return { outcome: 'unknown', type: 'unreadable_answer', reason, ...SUSPICIOUS }
  }
  const items = Array.isArray(answer.items) ? (answer.items as readonly unknown[]) : []
  if (items.length !== expected.length) {
    const reason = `${expected.length} operations sent, ${items.length} answered`
    return { outcome: 'unknown', type: 'items_mismatch', reason, ...SUSPICIOUS }
  }
  const verdicts: ItemVerdict[] = []
  const full: number[] = []
  for (let n = 0; n < expected.length; n++) {
    const operation = expected[n]
    const item = operation === undefined ? undefined : itemOf(items[n], operation.kind)
    if (operation === undefined || item === undefined) {
      const reason = `item ${n} does not answer its operation`
      return { outcome: 'unknown', type: 'items_mismatch', reason, ...SUSPICIOUS }
    }
    if (item.error && item.status === 400 && isTotalFieldsLimit(item.error)) full.push(n)
    verdicts.push(classifyItem(operation.kind, Number(item.status), item.error, item.result))
  }
  if (full.length > 0) settleFullMappings(verdicts, full, expected)
  const took = Number(answer.took)
  return { outcome: 'answered', items: verdicts, tookMs: Number.isFinite(took) ? took : 0 }
}

/** The item's answer, if it is one to this kind of operation. */
function itemOf(item: unknown, kind: Operation['kind']): Item | undefined {
  if (!isRecord(item)) return undefined
  const answer = item[kind]
  return isRecord(answer) && typeof answer.status === 'number' ? (answer as Item) : undefined
}

/**
 * A mapping at its limit of fields is the index's trouble when most documents meet it, and a document's own
 * when few do: one poison document must not stop an index, nor a full mapping make ten thousand dead letters.
 * The line is half of the index's operations in this answer.
 */
function settleFullMappings(
  verdicts: ItemVerdict[],
  full: readonly number[],
  expected: readonly Operation[],
): void {
  const tried = new Map<string, number>()
  for (const { kind, index } of expected) {
    if (kind === 'index') tried.set(index, (tried.get(index) ?? 0) + 1)
  }
  const failed = new Map<string, number>()
  for (const n of full) {
    const index = expected[n]?.index ?? ''
    failed.set(index, (failed.get(index) ?? 0) + 1)
  }
  for (const n of full) {
    const index = expected[n]?.index ?? ''
    const verdict = verdicts[n]
    const isMost = (failed.get(index) ?? 0) * 2 > (tried.get(index) ?? 0)
    if (verdict?.outcome === 'blocked' && !isMost) verdicts[n] = { ...verdict, outcome: 'dead' }
  }
}

/** The verdict on a request that got no answer. Some of it may have been applied, unless we never connected. */
export function classifyTransportError(failure: TransportFailure): BulkAnswer {
  const { kind, message } = failure
  // A certificate does not become good by waiting.
  if (kind === 'tls_error') return { outcome: 'blocked', type: kind, reason: message }
  return { outcome: 'unknown', type: kind, reason: message, ...(kind === 'connect_error' ? {} : SUSPICIOUS) }
}

/** An answer's `error`, where it is one of Elasticsearch's; at HTTP level it is sometimes a bare string. */
export function errorOf(answer: Readonly<Record<string, unknown>> | null): ErrorBody | undefined {
  const error = answer?.error
  if (isRecord(error)) return error as ErrorBody
  return typeof error === 'string' ? { reason: error } : undefined
}

/** JSON text → its object, or null for anything else. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : null
  } catch {
    return null
  }
}

/** What an unreadable answer looks like, without repeating it: it may hold anything. */
export function describeBody(body: string): string {
  if (body.trim() === '') return 'an empty answer'
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(body))
    return 'a web page, not Elasticsearch (is a proxy in between?)'
  if (/^\s*[[{]/.test(body))
    return parseObject(body) === null
      ? 'a JSON answer that is cut off'
      : 'a JSON answer that is not Elasticsearch’s'
  return 'an answer that is not JSON'
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
