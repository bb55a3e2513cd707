/**
 * Reasons without document values. Pure.
 *
 * Elasticsearch quotes the document in nearly every reason ("Preview of field's value: '…'"), whatever
 * `include_source_on_error` says, and a value may itself hold quotes and brackets. So nothing is cut *out*:
 * a reason is matched from its start against the forms real servers were seen to give (8.19, 9.5 and OpenSearch
 * 3.4, see the table in test/unit/elasticsearch-reasons.test.ts), and only the parts that come from the mapping
 * are kept. Of an unknown form only the prose before its first quote, bracket, colon or digit is left.
 */

import { forms } from './reason-forms.ts'

/** The `error` of an item or an answer. */
export interface ErrorBody {
  readonly type?: string | undefined
  readonly reason?: string | null | undefined
  readonly caused_by?: ErrorBody | undefined
}

/** Longest reason we store. */
const maxLength = 400

/** Longest name of a field we repeat: a strict mapping names the unknown key, which may come from a json column. */
const maxName = 120

/** What Elasticsearch puts before a reason: a position in the document, and "failed to parse: " around another reason. */
const wrapping = /^(?:\[\d+:\d+\] |failed to parse: )+/

/**
 * The useful part of an error: which field and type, and what was wrong, in the server's words.
 * Without positions and ids too, so that equal failures have equal reasons (they are grouped by them).
 */
export function redactReason(error: ErrorBody): string {
  const parts: string[] = []
  for (let at: ErrorBody | undefined = error; at !== undefined && at !== null; at = at.caused_by) {
    const reason = typeof at.reason === 'string' ? at.reason : ''
    const part = redactText(reason)
    // The chain repeats itself, each time a little longer or shorter.
    if (part !== '' && !parts.some((known) => known.includes(part))) parts.push(part)
    if (parts.length === 2) break
  }
  return cap(parts.join(': ') || 'no reason given')
}

/** Reasons that only speak of indices, users and settings: `cluster_block_exception` and the like. */
export function plainReason(error: ErrorBody): string {
  return cap(typeof error.reason === 'string' && error.reason !== '' ? error.reason : 'no reason given')
}

function redactText(reason: string): string {
  const text = reason.replace(wrapping, '')
  for (const [pattern, kept] of forms) {
    const match = pattern.exec(text)
    if (match) return kept.replace(/\$(\d)/g, (_, n: string) => (match[Number(n)] ?? '').slice(0, maxName))
  }
  return leadingProse(text)
}

/** A word of a sentence: no digits, no capitals inside, no foreign letters. */
const word = /^(?:[A-Z]?[a-z]+(?:['’_-][a-z]+)*|JSON|UTF|IP|WKT)[.,;]?$/

/** Words up to the first thing that could be a value. */
function leadingProse(text: string): string {
  const words: string[] = []
  for (const token of text.split(/\s+/)) {
    const colon = token.endsWith(':')
    const bare = colon ? token.slice(0, -1) : token
    if (!word.test(bare)) break
    words.push(bare)
    if (colon) break
  }
  return words.join(' ').replace(/[.,;]$/, '')
}

function cap(text: string): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`
}
