import type { ElasticsearchSettings } from '../config/types.ts'
import {
  type AliasAction,
  type Aliases,
  aliasesOf,
  awaitShards,
  changeAliases,
  countWrites,
  putSettings,
} from './aliases.ts'
import { type ClusterHealth, clusterHealth } from './cluster-health.ts'
import { type Disk, readDisks } from './disks.ts'
import {
  count,
  countWithField,
  existing,
  find,
  get,
  listDocuments,
  refresh,
  sampleDocuments,
} from './documents.ts'
import type { Http } from './http.ts'
import {
  type AliasTargets,
  aliasTargets,
  createIndex,
  deleteIndex,
  getMappings,
  getSettings,
  indexSetting,
  indexUuid,
  indexUuids,
  mappingsOf,
  type NewIndex,
  putMappings,
  settingsOf,
} from './indices.ts'
import {
  bulkFilterPath,
  classifyResponse,
  classifyTransportError,
  describeBody,
  parseObject,
} from './outcome-request.ts'
import { hasPipeline } from './pipelines.ts'
import { openPointInTime, type PointInTime } from './point-in-time.ts'
import { openReplaceableHttp, type ReplaceableHttp } from './replaceable-http.ts'
import { flush, type IndexSize, indexSize, mergeState, startMerge } from './segments.ts'
import { serverInfo } from './server-info.ts'
import { stored } from './stored.ts'
import { deleteTemplate, type Guard, guardOf, putTemplate } from './templates.ts'
import type {
  BulkAnswer,
  DocumentAddress,
  ListedDocument,
  Operation,
  ServerInfo,
  StoredDocument,
  StoredText,
} from './types.ts'
import {
  type HighestVersions,
  highestVersions,
  type IndexState,
  indexAliases,
  indexStates,
  type VersionRange,
} from './watch.ts'

type JsonObject = Readonly<Record<string, unknown>>

/**
 * A connection to Elasticsearch 8 or 9, or OpenSearch. `bulk` and `ping` never throw; the others throw
 * UnreachableError (no answer, refused credentials, another product), ConfigError (the server refuses what the
 * configuration asks for) or FailedError.
 */
export interface Elasticsearch {
  /** Its nodes as host:port, for messages. */
  readonly nodes: string
  /** Product and version; throws UnreachableError for a server that sluice does not support. */
  info(): Promise<ServerInfo>
  /**
   * Shows the credentials of these settings from now on; false where they are the same, none, or meant for
   * another address.
   */
  useCredentials(stated: ElasticsearchSettings): boolean
  /** Sends a body made by `encodeBulk` from these operations, once, and classifies the answer. */
  bulk(body: Buffer, operations: readonly Operation[]): Promise<BulkAnswer>
  /** Whether requests would get through again: `answered` without items, or why not. */
  ping(): Promise<BulkAnswer>
  clusterHealth(): Promise<ClusterHealth>
  /** Of the nodes that hold data. */
  disks(): Promise<readonly Disk[]>
  createIndex(index: NewIndex): Promise<{ uuid: string }>
  /** For an alias, or the pattern of all tenants' (`cities-{tenant}`). */
  putTemplate(index: string): Promise<void>
  deleteTemplate(index: string): Promise<void>
  /** What became of that template. */
  guardOf(index: string): Promise<Guard>
  /** Whether there is an ingest pipeline of this name. */
  hasPipeline(name: string): Promise<boolean>
  deleteIndex(name: string): Promise<void>
  indexUuid(name: string): Promise<string | null>
  /** UUIDs of the open indices that a name or a pattern (`cities-*-2*-*`) stands for, by name. */
  indexUuids(names: string): Promise<ReadonlyMap<string, string>>
  /** One setting of the same (`index.gc_deletes`); indices that do not state it are left out. */
  indexSetting(names: string, setting: string): Promise<ReadonlyMap<string, string>>
  /** All settings that the same state, flat. */
  settingsOf(names: string): Promise<ReadonlyMap<string, JsonObject>>
  /** UUID and shards of the open indices that a name or a pattern stands for, by name. */
  indexStates(names: string): Promise<ReadonlyMap<string, IndexState>>
  /** Aliases of those indices, by name. */
  indexAliases(names: string): Promise<ReadonlyMap<string, readonly string[]>>
  /** The highest version in these indices (a list or a pattern), and the highest of those in some ranges. */
  highestVersions(indices: string, ranges: readonly VersionRange[]): Promise<HighestVersions>
  aliasTargets(alias: string): Promise<AliasTargets>
  /** All aliases of an index, whoever made them. */
  aliasesOf(index: string): Promise<Aliases>
  /** All at once or not at all. */
  changeAliases(actions: readonly AliasAction[]): Promise<void>
  /** Dynamic settings, flat; null is the server's default. */
  putSettings(index: string, settings: JsonObject): Promise<void>
  /** Whether the shards of an index have come within that time. */
  awaitShards(
    index: string,
    wanted: { readonly shards: 'primaries' | 'all'; readonly timeoutMs: number },
  ): Promise<boolean>
  /** Operations that an index has carried out, by anybody. */
  countWrites(index: string): Promise<number>
  refresh(index: string): Promise<void>
  count(index: string): Promise<number>
  /** Documents that have a value in a field; `nested`: the innermost nested field around it, or itself. */
  countWithField(index: string, field: string, nested: string | null): Promise<number>
  /** Whether each is there, in their order. */
  existing(wanted: readonly DocumentAddress[]): Promise<readonly boolean[]>
  /** How each stands, in their order; with `source`, its text as it was sent. */
  stored(
    wanted: readonly DocumentAddress[],
    options: { readonly source: boolean },
  ): Promise<readonly StoredText[]>
  /** A document as it was written last; with `searchable` as searches see it. */
  get(
    index: string,
    id: string,
    routing?: string | null,
    options?: { readonly searchable?: boolean },
  ): Promise<StoredDocument>
  find(indices: string, id: string): Promise<readonly (ListedDocument & { readonly index: string })[]>
  listDocuments(index: string): AsyncGenerator<ListedDocument[], void, void>
  /** An index as of its last refresh, for as long as it is held open; null where the server cannot (OpenSearch before 2.4). */
  pointInTime(index: string): Promise<PointInTime | null>
  /** Up to so many documents (10,000 at most) chosen at random, of an index or of all that a pattern stands for. */
  sampleDocuments(
    indices: string,
    size: number,
  ): Promise<readonly (ListedDocument & { readonly index: string })[]>
  getMappings(index: string): Promise<JsonObject>
  /** Of the indices that a name or a pattern stands for, by name. */
  mappingsOf(names: string): Promise<ReadonlyMap<string, JsonObject>>
  putMappings(index: string, mappings: JsonObject): Promise<void>
  getSettings(index: string): Promise<JsonObject>
  flush(index: string): Promise<void>
  indexSize(index: string): Promise<IndexSize>
  /** Begins to merge away deleted documents; returns the id of the task that does it. */
  startMerge(index: string): Promise<string>
  mergeState(index: string, task: string): Promise<'running' | 'done' | 'unknown'>
  /** Gives up all requests under way, and every later one: their outcome is unknown. */
  abort(): void
  /** Lets requests under way end, and closes. */
  close(): Promise<void>
}

/** Opens no connection yet. Throws ConfigError for a URL or a CA file that cannot be used. */
export function connectElasticsearch(
  settings: ElasticsearchSettings,
  options: { readonly requestTimeoutMs: number },
): Elasticsearch {
  return elasticsearchOver(openReplaceableHttp(settings, options), options)
}

/** The same over any exchange of requests and answers; the simulation has one in memory. */
export function elasticsearchOver(
  http: ReplaceableHttp,
  options: { readonly requestTimeoutMs: number },
): Elasticsearch {
  const product = productOf(http)
  const bulkQuery = { filter_path: bulkFilterPath, timeout: `${shardTimeoutMs(options.requestTimeoutMs)}ms` }
  return {
    nodes: http.nodes,
    info: () => serverInfo(http),
    useCredentials: (stated) => http.useCredentials(stated),
    bulk: async (body, operations) => {
      const answer = await http.send({ method: 'POST', path: '/_bulk', query: bulkQuery, ndjson: body })
      return answer.kind === 'answer'
        ? classifyResponse(answer.status, answer.text, operations)
        : classifyTransportError(answer)
    },
    ping: () => ping(http),
    clusterHealth: () => clusterHealth(http),
    disks: () => readDisks(http),
    createIndex: async (index) => createIndex(http, await product(), index),
    putTemplate: async (alias) => putTemplate(http, await product(), alias),
    deleteTemplate: (alias) => deleteTemplate(http, alias),
    guardOf: async (alias) => guardOf(http, await product(), alias),
    hasPipeline: (name) => hasPipeline(http, name),
    deleteIndex: (name) => deleteIndex(http, name),
    indexUuid: (name) => indexUuid(http, name),
    indexUuids: (names) => indexUuids(http, names),
    indexSetting: (names, setting) => indexSetting(http, names, setting),
    settingsOf: (names) => settingsOf(http, names),
    indexStates: (names) => indexStates(http, names),
    indexAliases: (names) => indexAliases(http, names),
    highestVersions: async (indices, ranges) => highestVersions(http, await product(), indices, ranges),
    aliasTargets: (alias) => aliasTargets(http, alias),
    aliasesOf: (index) => aliasesOf(http, index),
    changeAliases: (actions) => changeAliases(http, actions),
    putSettings: (index, settings) => putSettings(http, index, settings),
    awaitShards: (index, wanted) => awaitShards(http, index, wanted),
    countWrites: (index) => countWrites(http, index),
    refresh: (index) => refresh(http, index),
    count: (index) => count(http, index),
    countWithField: (index, field, nested) => countWithField(http, index, field, nested),
    existing: (wanted) => existing(http, wanted),
    stored: (wanted, options) => stored(http, wanted, options),
    get: (index, id, routing, options) => get(http, index, id, routing, options),
    find: (indices, id) => find(http, indices, id),
    listDocuments: (index) => listDocuments(http, index),
    pointInTime: async (index) => openPointInTime(http, await product(), index),
    sampleDocuments: (indices, size) => sampleDocuments(http, indices, size),
    getMappings: (index) => getMappings(http, index),
    mappingsOf: (names) => mappingsOf(http, names),
    putMappings: (index, mappings) => putMappings(http, index, mappings),
    getSettings: (index) => getSettings(http, index),
    flush: (index) => flush(http, index),
    indexSize: (index) => indexSize(http, index),
    startMerge: (index) => startMerge(http, index),
    mergeState: (index, task) => mergeState(http, index, task),
    abort: () => http.abort(),
    close: () => http.close(),
  }
}

/** Which product it is, asked once: a cluster does not change it under a running process. */
function productOf(http: Http): () => Promise<ServerInfo['product']> {
  let known: ServerInfo['product'] | undefined
  return async () => {
    known ??= (await serverInfo(http)).product
    return known
  }
}

/**
 * How long the server may wait for a missing shard before it answers 503 for that item alone. Well under the
 * request's time-out (its own default is a minute), or one index without a shard would make the outcome of all
 * the others unknown.
 */
function shardTimeoutMs(requestTimeoutMs: number): number {
  return Math.max(1, Math.min(10_000, Math.floor(requestTimeoutMs / 2)))
}

/** The cluster's health needs a master, as bulk requests do, and the privilege `monitor`, as `info` does. */
async function ping(http: Http): Promise<BulkAnswer> {
  const started = performance.now()
  const answer = await http.send({ method: 'GET', path: '/_cluster/health' })
  if (answer.kind !== 'answer') return classifyTransportError(answer)
  if (answer.status !== 200) return classifyResponse(answer.status, answer.text, [])
  if (typeof parseObject(answer.text)?.cluster_name === 'string') {
    return { outcome: 'answered', items: [], tookMs: performance.now() - started }
  }
  const reason = `${answer.node} answered with ${describeBody(answer.text)}`
  return { outcome: 'unknown', type: 'unreadable_answer', reason }
}
