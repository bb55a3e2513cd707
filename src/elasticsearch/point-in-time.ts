import { IncompleteError } from '../errors.ts'
import { assertWhole, listed, maxResultWindow, type SearchHit } from './documents.ts'
import { isAbsent, objectOf } from './failures.ts'
import { type Http, pathOf } from './http.ts'
import type { ListedDocument, ServerInfo } from './types.ts'

/** An index as of one moment: what is written to it later does not show. Holds files on the server until it is closed. */
export interface PointInTime {
  /** All its documents, and those of them that are where they are by a routing of their own. */
  count(): Promise<{ readonly documents: number; readonly routed: number }>
  /** How many documents have one of these ids (65,536 at most). 1 to 2 µs each: a third of `_mget`, a sixth of a listing. */
  countIds(ids: readonly string[]): Promise<number>
  /** Those that were written last, 10,000 at most. With several shards, about those. */
  newest(size: number): Promise<readonly ListedDocument[]>
  /** A failure to close it is no failure: it expires by itself. */
  close(): Promise<void>
}

/** How long it survives between two looks. */
const keepAlive = '5m'

/** The moment is that of the index's last refresh. Null where the server has none (OpenSearch before 2.4). */
export async function openPointInTime(
  http: Http,
  product: ServerInfo['product'],
  index: string,
): Promise<PointInTime | null> {
  const doing = `looking at ${index}`
  const path = product === 'opensearch' ? '_search/point_in_time' : '_pit'
  const answer = await http.send({
    method: 'POST',
    path: pathOf(index, ...path.split('/')),
    query: { keep_alive: keepAlive },
  })
  if (answer.kind === 'answer' && (answer.status === 400 || answer.status === 405)) return null
  const opened = objectOf(answer, doing)
  let id = String(product === 'opensearch' ? opened.pit_id : opened.id)

  const search = async (body: Readonly<Record<string, unknown>>): Promise<Found> => {
    const answered = await http.send({
      method: 'POST',
      path: '/_search',
      // No answer comes again: each would keep its thousands of ids in the cache.
      query: {
        request_cache: 'false',
        filter_path:
          'pit_id,timed_out,_shards.failed,hits.total.value,hits.hits._id,hits.hits._routing,error,status',
      },
      body: { pit: { id, keep_alive: keepAlive }, _source: false, ...body },
    })
    if (isAbsent(answered)) {
      throw new IncompleteError(`Elasticsearch has forgotten the moment while ${doing}`, {
        where: `Elasticsearch at ${http.nodes}`,
        remedy: 'a node was restarted, or nothing was asked for within five minutes: try again',
      })
    }
    const found = objectOf(answered, doing)
    assertWhole(http, found, doing)
    if (typeof found.pit_id === 'string') id = found.pit_id
    return (found.hits ?? {}) as Found
  }
  const total = async (query: object): Promise<number> => {
    const { total: counted } = await search({ size: 0, track_total_hits: true, query })
    if (typeof counted?.value === 'number') return counted.value
    throw new Error(`no number of hits came while ${doing}`)
  }
  return {
    count: async () => ({
      documents: await total({ match_all: {} }),
      routed: await total({ exists: { field: '_routing' } }),
    }),
    countIds: (values) => (values.length === 0 ? Promise.resolve(0) : total({ ids: { values } })),
    newest: async (size) => {
      const sort = [{ _seq_no: 'desc' }]
      const { hits = [] } = await search({
        size: Math.min(size, maxResultWindow),
        track_total_hits: false,
        sort,
      })
      return hits.map(listed)
    },
    close: async () => {
      const closing =
        product === 'opensearch'
          ? { path: '/_search/point_in_time', body: { pit_id: [id] } }
          : { path: '/_pit', body: { id } }
      await http.send({ method: 'DELETE', ...closing })
    },
  }
}

interface Found {
  readonly total?: { readonly value?: number }
  readonly hits?: readonly SearchHit[]
}
