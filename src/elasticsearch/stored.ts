import { FailedError } from '../errors.ts'
import { failureError, noAnswerOf, objectOf } from './failures.ts'
import type { Http } from './http.ts'
import { parseExact } from './json.ts'
import type { DocumentAddress, StoredText } from './types.ts'

/**
 * Documents as they were written last, searchable or not, in the order asked for; `source`: with their text. That is
 * `_source` byte for byte as it was sent, so it is cut out of the answer and not parsed: an answer of 5,000 documents
 * of 800 bytes takes 10 ms here, and JSON.parse would round its numbers. No filter_path: filtered, the server prints the
 * text anew, and 1e10 comes back as 1.0E10. Throws when one cannot be told (a missing index, a shard that is away).
 */
export async function stored(
  http: Http,
  wanted: readonly DocumentAddress[],
  { source }: { readonly source: boolean },
): Promise<readonly StoredText[]> {
  if (wanted.length === 0) return []
  const doing = 'reading documents'
  const answer = await http.send({
    method: 'POST',
    path: '/_mget',
    query: source ? {} : { _source: 'false', stored_fields: '_routing' },
    body: { docs: wanted.map(({ index, id, routing }) => ({ _index: index, _id: id, routing })) },
  })
  if (answer.kind !== 'answer' || answer.status >= 300) throw failureError(answer, doing)
  const entries = entriesOf(answer.text)
  if (entries?.length !== wanted.length) {
    // Not what `_mget` answers: a proxy's page, or a truncated body.
    objectOf(answer, doing)
    throw new FailedError(
      `${entries?.length ?? 'no'} answers for ${wanted.length} documents while ${doing}`,
      {
        where: `Elasticsearch at ${http.nodes}`,
      },
    )
  }
  return wanted.map(({ index }, n) => {
    const text = entries[n] ?? ''
    const stands = readEntry(text)
    if (stands !== null) return stands
    throw noAnswerOf(index, /"type":"([a-z_]+)"/.exec(text)?.[1], doing, http.nodes)
  })
}

const SOURCE = '"_source":'

/** Texts of the objects in `{"docs":[…]}`; null where it is none. */
function entriesOf(text: string): readonly string[] | null {
  let at = text.indexOf('[') + 1
  if (at === 0 || !/^\s*\{\s*"docs"\s*:\s*$/.test(text.slice(0, at - 1))) return null
  const entries: string[] = []
  while (text[at] === '{') {
    const end = objectEnd(text, at)
    if (end === null) return null
    entries.push(text.slice(at, end))
    at = text[end] === ',' ? end + 1 : end
  }
  return text[at] === ']' ? entries : null
}

/** `_source` is the last member of an entry. Within a string its name would stand with escaped quotes. */
function readEntry(text: string): StoredText | null {
  const at = text.indexOf(SOURCE)
  const head = at === -1 ? text : `${text.slice(0, at)}"_":0}`
  const {
    found,
    _version: version,
    _routing: routing,
  } = parseExact(head) as Readonly<Record<string, unknown>>
  if (typeof found !== 'boolean') return null
  return {
    found,
    version: found ? String(version) : null,
    routing: typeof routing === 'string' ? routing : null,
    source: at === -1 ? null : text.slice(at + SOURCE.length, -1),
  }
}

const QUOTE = 34
const BACKSLASH = 92
const OPEN = 123
const CLOSE = 125

/** Position behind the object that begins at `start`; null where the text ends before it. */
function objectEnd(text: string, start: number): number | null {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) {
      at += 1
      while (at < text.length && text.charCodeAt(at) !== QUOTE) {
        at += text.charCodeAt(at) === BACKSLASH ? 2 : 1
      }
    } else if (char === OPEN) depth += 1
    else if (char === CLOSE && --depth === 0) return at + 1
  }
  return null
}
