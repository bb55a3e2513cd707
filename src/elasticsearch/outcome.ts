/**
 * What an item's answer means. Status first, type second: types differ between Elasticsearch 8 and 9 and
 * OpenSearch (which drops the `es_` prefixes), statuses do not. Pure, and exhaustive: every pair of status and
 * type falls in exactly one verdict, and one we do not know is never taken for done.
 *
 * | status                                              | verdict                                       |
 * |-----------------------------------------------------|-----------------------------------------------|
 * | 200, 201; 404 of a delete, without error            | done                                          |
 * | 409 version conflict                                | superseded (done)                             |
 * | 401, 403; any `cluster_block_exception` but 503     | blocked: the index, or what we may do with it |
 * | 404 index_not_found; 400 index closed, bad name, …  | blocked                                       |
 * | 400 "Limit of total fields"                         | blocked, or dead when few: see outcome-request.ts      |
 * | 408, 429, 502, 503, 504                             | retry, uncharged                              |
 * | 400, 413, other                                     | dead                                          |
 * | 500, and whatever else                              | retry, charged: dead after MAX_RETRIES        |
 */
import { type ErrorBody, plainReason, redactReason } from './redact.ts'
import type { ItemVerdict, Operation } from './types.ts'

type Done = Extract<ItemVerdict, { outcome: 'done' }>

/** One object for each result: a backfill answers a million items alike. */
const done: Readonly<Record<Done['result'], Done>> = {
  created: Object.freeze({ outcome: 'done', result: 'created' }),
  updated: Object.freeze({ outcome: 'done', result: 'updated' }),
  deleted: Object.freeze({ outcome: 'done', result: 'deleted' }),
  absent: Object.freeze({ outcome: 'done', result: 'absent' }),
  noop: Object.freeze({ outcome: 'done', result: 'noop' }),
}

/** The server was busy, or a shard or a master away: the document is not at fault, and nobody is charged (invariant 10). */
const busy = new Set([408, 429, 502, 503, 504])

/** The index is the obstacle, whatever the status: closed is 400, missing 404, read-only 403 or 429. */
const blockingTypes = new Set([
  'index_not_found_exception',
  'index_closed_exception',
  'invalid_index_name_exception',
  'index_create_block_exception',
  'routing_missing_exception',
])

/**
 * Setting by which our OpenSearch template refuses to create an index by accident (see templates.ts): the
 * name appears in the reason, so that a missing index is told from a bad document.
 */
export const noAutoCreateMarker = 'sluice_creates_this_index_itself'

/**
 * 400s that every document of the index would get. Anchored, so that no document value can imitate them.
 */
const blockingReasons: readonly RegExp[] = [
  /^no write index is defined for alias \[/,
  /^pipeline with id \[[^\]]*\] does not exist$/,
  new RegExp(String.raw`^unknown index sort field:\[${noAutoCreateMarker}\]$`),
  // Lucene holds 2^31 documents a shard.
  /^number of documents in the (index|shard) /i,
]

/** A mapping that has grown to its limit; wrapped differently by each server. */
const totalFields = /^(?:\[\d+:\d+\] )?(?:failed to parse: )?Limit of total fields \[\d+\] has been exceeded/

/** The stored version, at the end of the reason: the id before it may hold anything. */
const storedVersion = /current version \[(\d+)\] is higher than the one provided \[\d+\]$/

/** An error's type without the prefix that OpenSearch drops: `rejected_execution_exception` on every server. */
export function errorType(error: ErrorBody | undefined, status: number): string {
  const type = error?.type
  return typeof type === 'string' && type !== '' ? type.replace(/^(?:es|opensearch)_/, '') : `http_${status}`
}

/** Every reason of an error, the outermost first. */
function reasonsOf(error: ErrorBody): string[] {
  const reasons: string[] = []
  for (let at: ErrorBody | undefined = error; at !== undefined && at !== null; at = at.caused_by) {
    if (typeof at.reason === 'string') reasons.push(at.reason)
  }
  return reasons
}

/** True for the 400 of a mapping that is full: its verdict depends on how many of an answer's items got it. */
export function isTotalFieldsLimit(error: ErrorBody): boolean {
  return reasonsOf(error).some((reason) => totalFields.test(reason))
}

/** Version that Elasticsearch holds, as its 409 says, or null where it cannot be read. */
function storedVersionOf(error: ErrorBody): bigint | null {
  const match = storedVersion.exec(typeof error.reason === 'string' ? error.reason : '')
  return match?.[1] === undefined ? null : BigInt(match[1])
}

/**
 * The verdict on one item of a bulk answer.
 * @param kind the operation it answers
 * @param error its `error`, if it has one
 * @param result its `result` (`created`, `noop`, …); told from the status where it is missing
 */
export function classifyItem(
  kind: Operation['kind'],
  status: number,
  error?: ErrorBody | null,
  result?: string,
): ItemVerdict {
  if (error === undefined || error === null) return classifyWithoutError(kind, status, result)
  const type = errorType(error, status)
  if (status === 409 && type === 'version_conflict_engine_exception') {
    return { outcome: 'superseded', stored: storedVersionOf(error) }
  }
  // A block that answers 503 is the cluster's own: no master yet, state not recovered. It passes.
  const blockedByIndex = blockingTypes.has(type) || (type === 'cluster_block_exception' && status !== 503)
  if (status === 401 || status === 403 || blockedByIndex) {
    const reason = type === 'routing_missing_exception' ? redactReason(error) : plainReason(error)
    return { outcome: 'blocked', type, reason }
  }
  const reason = redactReason(error)
  if (busy.has(status)) return { outcome: 'retry', type, reason, charged: false }
  if (status === 413) return { outcome: 'dead', type, reason }
  if (status === 400) {
    const isIndexLevel =
      blockingReasons.some((pattern) => pattern.test(error.reason ?? '')) || isTotalFieldsLimit(error)
    return { outcome: isIndexLevel ? 'blocked' : 'dead', type, reason }
  }
  // 500 (a failing ingest pipeline, an engine error), and what we do not know: tried again, and kept as a failure.
  return { outcome: 'retry', type, reason, charged: true }
}

function classifyWithoutError(
  kind: Operation['kind'],
  status: number,
  result: string | undefined,
): ItemVerdict {
  if (status === 404 && kind === 'delete') return done.absent
  if (status === 200 || status === 201) {
    if (result === 'noop') return done.noop
    if (kind === 'delete') return done.deleted
    return status === 201 || result === 'created' ? done.created : done.updated
  }
  const type = `http_${status}`
  return { outcome: 'retry', type, reason: `status ${status} without an error`, charged: !busy.has(status) }
}
