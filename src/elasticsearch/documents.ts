import { IncompleteError } from '../errors.ts'
import { failureError, isAbsent, noAnswerOf, objectOf } from './failures.ts'
import { type Http, type HttpAnswer, pathOf, type TransportFailure } from './http.ts'
import { parseExact } from './json.ts'
import { parseObject } from './outcome-request.ts'
import type { DocumentAddress, ListedDocument, StoredDocument } from './types.ts'

/** Hits that one search returns at most (`index.max_result_window` by default). */
export const maxResultWindow = 10_000

/** Ids a page. 50,000 to 100,000 ids/s. */
const pageSize = maxResultWindow

/** How long a listing survives between two pages: its consumer writes marks meanwhile. */
const keepAlive = '5m'

/** Makes what was written searchable. */
export async function refresh(http: Http, index: string): Promise<void> {
  const doing = `refreshing ${index}`
  assertWhole(
    http,
    objectOf(await http.send({ method: 'POST', path: pathOf(index, '_refresh') }), doing),
    doing,
  )
}

/** Number of searchable documents (nested ones are not counted). */
export async function count(http: Http, index: string): Promise<number> {
  const doing = `counting ${index}`
  const answer = objectOf(await http.send({ method: 'GET', path: pathOf(index, '_count') }), doing)
  assertWhole(http, answer, doing)
  return Number(answer.count)
}

/**
 * Number of documents that have a value in a field, as searches see them. `nested`: the innermost nested field around it,
 * or itself.
 */
export async function countWithField(
  http: Http,
  index: string,
  field: string,
  nested: string | null,
): Promise<number> {
  const doing = `counting documents of ${index} with a field`
  const exists = nested === field ? { match_all: {} } : { exists: { field } }
  const query = nested === null ? exists : { nested: { path: nested, query: exists } }
  const answer = objectOf(
    await http.send({ method: 'POST', path: pathOf(index, '_count'), body: { query } }),
    doing,
  )
  assertWhole(http, answer, doing)
  return Number(answer.count)
}

/**
 * A document as it stands now, searchable or not; with `searchable` as searches see it. Its version is text, and so are
 * integers beyond 2^53 in its source. Throws when the index does not exist; a document that does not is `found: false`.
 */
export async function get(
  http: Http,
  index: string,
  id: string,
  routing?: string | null,
  { searchable = false }: { readonly searchable?: boolean } = {},
): Promise<StoredDocument> {
  const doing = `reading a document of ${index}`
  const query = {
    ...(routing === undefined || routing === null ? {} : { routing }),
    // Wakes a shard that has not refreshed for want of searches, as a search does.
    ...(searchable ? { realtime: 'false' } : {}),
  }
  const answer = await http.send({ method: 'GET', path: pathOf(index, '_doc', id), query })
  const body = documentOf(answer)
  if (body === null || typeof body.found !== 'boolean') throw failureError(answer, doing)
  const { found, _version: version } = body
  return { index, id, found, version: found ? String(version) : null, source: found ? body._source : null }
}

/** `_doc` answers 404 with `found: false`, and with an error when the index is missing. */
function documentOf(answer: HttpAnswer | TransportFailure): Readonly<Record<string, unknown>> | null {
  if (answer.kind !== 'answer' || (answer.status !== 200 && answer.status !== 404)) return null
  if (parseObject(answer.text) === null) return null
  return parseExact(answer.text) as Readonly<Record<string, unknown>>
}

interface Answer {
  readonly found?: unknown
  readonly error?: { readonly type?: string }
}

/**
 * Whether each of these documents is there, in their order: as written last, searchable or not. Throws when one cannot
 * be told (a missing index, a shard that is away). `_mget` without source: 100,000 ids/s and more.
 */
export async function existing(http: Http, wanted: readonly DocumentAddress[]): Promise<readonly boolean[]> {
  if (wanted.length === 0) return []
  const doing = 'looking for documents'
  const { docs } = objectOf(
    await http.send({
      method: 'POST',
      path: '/_mget',
      query: { _source: 'false', filter_path: 'docs.found,docs.error.type,error,status' },
      body: { docs: wanted.map(({ index, id, routing }) => ({ _index: index, _id: id, routing })) },
    }),
    doing,
  )
  const answers: readonly Answer[] = Array.isArray(docs) ? docs : []
  return wanted.map(({ index }, n) => {
    const found = answers[n]?.found
    if (typeof found === 'boolean') return found
    throw noAnswerOf(index, answers[n]?.error?.type, doing, http.nodes)
  })
}

/**
 * All documents of an index, in pages, as of its last refresh. By scroll: it is the same on Elasticsearch 8, 9 and
 * OpenSearch, where points in time differ. Its context is freed also when the consumer stops early. An answer
 * that lacks a shard is an error: what is not listed would be taken for not there.
 */
export async function* listDocuments(
  http: Http,
  index: string,
): AsyncGenerator<ListedDocument[], void, void> {
  const doing = `listing documents of ${index}`
  let answer = await http.send({
    method: 'POST',
    path: pathOf(index, '_search'),
    query: { scroll: keepAlive, filter_path: pageFilter },
    body: { size: pageSize, sort: ['_doc'], _source: false },
  })
  let scroll: string | undefined
  try {
    for (;;) {
      const page = objectOf(answer, doing)
      if (typeof page._scroll_id === 'string') scroll = page._scroll_id
      assertWhole(http, page, doing)
      const documents = listedIn(page)
      if (documents.length === 0) return
      yield documents
      if (scroll === undefined) return
      answer = await http.send({
        method: 'POST',
        path: '/_search/scroll',
        query: { filter_path: pageFilter },
        body: { scroll: keepAlive, scroll_id: scroll },
      })
      if (isAbsent(answer)) {
        throw new IncompleteError(`Elasticsearch has forgotten where it was while ${doing}`, {
          where: `Elasticsearch at ${http.nodes}`,
          remedy: 'a node was restarted, or the next page was not asked for within five minutes: try again',
        })
      }
    }
  } finally {
    // A failure to free it is no failure of the listing: it expires by itself.
    if (scroll !== undefined)
      await http.send({ method: 'DELETE', path: '/_search/scroll', body: { scroll_id: [scroll] } })
  }
}

/** Where an `_id` is in an index or in all those of an alias' pattern, by whatever routing, as of the last refresh. */
export function find(http: Http, indices: string, id: string): Promise<readonly Located[]> {
  return search(http, indices, { size: pageSize, query: { ids: { values: [id] } } }, `looking for ${id}`)
}

/** Up to `size` documents (10,000 at most) chosen at random, as of the last refresh: 10 million are scored in a second. */
export function sampleDocuments(http: Http, indices: string, size: number): Promise<readonly Located[]> {
  const query = { function_score: { query: { match_all: {} }, random_score: {} } }
  return search(http, indices, { size, query, track_total_hits: false }, `choosing documents of ${indices}`)
}

type Located = ListedDocument & { readonly index: string }

async function search(
  http: Http,
  indices: string,
  body: Readonly<Record<string, unknown>>,
  doing: string,
): Promise<readonly Located[]> {
  const page = objectOf(
    await http.send({
      method: 'POST',
      path: pathOf(indices, '_search'),
      query: {
        filter_path:
          'timed_out,_shards.failed,hits.hits._id,hits.hits._index,hits.hits._routing,error,status',
      },
      body: { ...body, _source: false },
    }),
    doing,
  )
  assertWhole(http, page, doing)
  return hitsOf(page).map((hit) => ({ index: hit._index, ...listed(hit) }))
}

const pageFilter = '_scroll_id,timed_out,_shards.failed,hits.hits._id,hits.hits._routing,error,status'

export interface SearchHit {
  readonly _id: string
  readonly _routing?: string
}

interface Hit extends SearchHit {
  readonly _index: string
}

export const listed = ({ _id, _routing }: SearchHit): ListedDocument => ({
  id: _id,
  routing: _routing ?? null,
})

function listedIn(page: Readonly<Record<string, unknown>>): ListedDocument[] {
  return hitsOf(page).map(listed)
}

function hitsOf(page: Readonly<Record<string, unknown>>): readonly Hit[] {
  const hits = page.hits
  if (typeof hits !== 'object' || hits === null || !('hits' in hits) || !Array.isArray(hits.hits)) return []
  return hits.hits
}

/** Throws when a shard did not take part. */
export function assertWhole(http: Http, answer: Readonly<Record<string, unknown>>, doing: string): void {
  const shards = answer._shards
  const failed =
    typeof shards === 'object' && shards !== null && 'failed' in shards ? Number(shards.failed) : 0
  if (failed === 0 && answer.timed_out !== true) return
  throw new IncompleteError(`${failed === 0 ? 'timed out' : `${failed} shards failed`} while ${doing}`, {
    where: `Elasticsearch at ${http.nodes}`,
    remedy: 'look at the cluster’s health, and try again',
  })
}
