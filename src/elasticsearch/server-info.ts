import { UnreachableError } from '../errors.ts'
import { failureError, refusalRemedy, unreachable } from './failures.ts'
import type { Http, HttpAnswer } from './http.ts'
import { errorType } from './outcome.ts'
import { describeBody, errorOf, parseObject } from './outcome-request.ts'
import type { ServerInfo } from './types.ts'

/** First major versions that sluice works with. */
const oldest: Readonly<Record<ServerInfo['product'], number>> = { elasticsearch: 8, opensearch: 2 }

/**
 * Which server answers, by `GET /`; a build without that (405: Elastic's own for integration tests) is asked
 * for its nodes. Throws UnreachableError for anything that is not Elasticsearch 8 or OpenSearch 2, or later,
 * saying what answered.
 */
export async function serverInfo(http: Http): Promise<ServerInfo> {
  const root = await http.send({ method: 'GET', path: '/' })
  if (root.kind !== 'answer') throw unreachable(root)
  const info = root.status === 405 ? await infoFromNodes(http, root) : infoFromRoot(root)
  const major = Number.parseInt(info.version, 10)
  if (!(major >= oldest[info.product])) {
    throw new UnreachableError(`${titleOf(info)} answered, which sluice does not support`, {
      where: `Elasticsearch at ${root.node}`,
      remedy: 'use Elasticsearch 8 or later, or OpenSearch 2 or later',
    })
  }
  return info
}

/** `Elasticsearch 8.19.21`. */
function titleOf({ product, version }: ServerInfo): string {
  return `${product === 'opensearch' ? 'OpenSearch' : 'Elasticsearch'} ${version}`
}

function infoFromRoot(root: HttpAnswer): ServerInfo {
  const body = parseObject(root.text)
  const version = body?.version
  if (root.status === 200 && typeof version === 'object' && version !== null && 'number' in version) {
    const isOpenSearch = 'distribution' in version && version.distribution === 'opensearch'
    // `GET /` of many a server has a version; a cluster has a name as well.
    if (typeof body?.cluster_name === 'string') {
      return { product: isOpenSearch ? 'opensearch' : 'elasticsearch', version: String(version.number) }
    }
  }
  throw notElasticsearch(root)
}

/** A cluster's lowest version, for in a rolling upgrade the oldest node sets what is understood. */
async function infoFromNodes(http: Http, root: HttpAnswer): Promise<ServerInfo> {
  const answer = await http.send({
    method: 'GET',
    path: '/_nodes',
    query: { filter_path: 'nodes.*.version' },
  })
  if (answer.kind !== 'answer') throw unreachable(answer)
  const nodes = parseObject(answer.text)?.nodes
  const versions = typeof nodes === 'object' && nodes !== null ? Object.values(nodes).map(versionOf) : []
  const [lowest] = versions.filter((version) => version !== '').sort(byNumber)
  if (answer.status !== 200 || lowest === undefined)
    throw notElasticsearch(answer.status === 200 ? root : answer)
  return { product: 'elasticsearch', version: lowest }
}

function versionOf(node: unknown): string {
  return typeof node === 'object' && node !== null && 'version' in node ? String(node.version) : ''
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

function notElasticsearch(answer: HttpAnswer): UnreachableError {
  const { status, text, node } = answer
  const body = parseObject(text)
  const error = errorOf(body)
  if (error !== undefined) {
    const failure = failureError(answer, 'asking for its version')
    if (failure instanceof UnreachableError) return failure
  }
  // An error of Elasticsearch's own here means that the URL has a path too much.
  const what = error === undefined ? describeBody(text) : errorType(error, status)
  return new UnreachableError(`answered status ${status} with ${what}`, {
    where: `Elasticsearch at ${node}`,
    remedy:
      refusalRemedy(status) ??
      'check that ELASTICSEARCH_URL, its path too, leads to Elasticsearch or OpenSearch itself',
  })
}
