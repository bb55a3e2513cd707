import { FailedError, UnreachableError } from '../errors.ts'
import { failureError, isAbsent, objectOf } from './failures.ts'
import { type Http, pathOf } from './http.ts'
import { parseObject } from './outcome-request.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** Aliases of an index by name, each with what it says: `filter`, `index_routing`, `search_routing`, `is_write_index`, `is_hidden`. */
export type Aliases = ReadonlyMap<string, JsonObject>

export type AliasAction =
  | { readonly kind: 'add'; readonly index: string; readonly alias: string; readonly says: JsonObject }
  | { readonly kind: 'remove'; readonly index: string; readonly alias: string }
  /**
   * Drops an index, so that an alias may take its name in the same moment. A search that is under way in it then may lose its
   * shard, and is answered 503 (docs/reindex.md has the measurement); no search begins between the two.
   */
  | { readonly kind: 'remove_index'; readonly index: string }

/** All aliases of an index, whoever made them. Throws FailedError when there is no such index. */
export async function aliasesOf(http: Http, index: string): Promise<Aliases> {
  const answer = await http.send({ method: 'GET', path: pathOf(index, '_alias') })
  const doing = `reading the aliases of ${index}`
  if (isAbsent(answer)) {
    throw new FailedError(`there is no index ${index}`, {
      where: `Elasticsearch at ${http.nodes}`,
      remedy: 'run sluice install',
    })
  }
  const [only] = Object.values(objectOf(answer, doing))
  return new Map(Object.entries(isObject(only) && isObject(only.aliases) ? only.aliases : {}).filter(isEntry))
}

/**
 * Changes aliases, all at once or not at all: no search sees a state in between. Throws UnreachableError also where the
 * cluster does not confirm it in time: it may have been done, and whoever goes on has to look.
 */
export async function changeAliases(http: Http, actions: readonly AliasAction[]): Promise<void> {
  const doing = 'changing aliases'
  const body = { actions: actions.map(bodyOf) }
  const answer = objectOf(await http.send({ method: 'POST', path: '/_aliases', body }), doing)
  if (answer.acknowledged === true) return
  throw new UnreachableError(`the cluster did not confirm ${doing} in time`, {
    where: `Elasticsearch at ${http.nodes}`,
    remedy: 'look at the cluster’s health',
  })
}

function bodyOf(action: AliasAction): JsonObject {
  switch (action.kind) {
    case 'add':
      return { add: { ...action.says, index: action.index, alias: action.alias } }
    case 'remove':
      return { remove: { index: action.index, alias: action.alias } }
    case 'remove_index':
      return { remove_index: { index: action.index } }
  }
}

/** Sets dynamic settings of an index, flat (`index.refresh_interval`); null is the server's default. */
export async function putSettings(http: Http, index: string, settings: JsonObject): Promise<void> {
  objectOf(
    await http.send({ method: 'PUT', path: pathOf(index, '_settings'), body: settings }),
    `changing settings of ${index}`,
  )
}

/**
 * Waits for the shards of an index, `timeoutMs` at most, and returns whether they came. `primaries`: it can be written and
 * searched. `all`: nothing is being copied any more, either; replicas that no node can hold are not waited for.
 */
export async function awaitShards(
  http: Http,
  index: string,
  { shards, timeoutMs }: { readonly shards: 'primaries' | 'all'; readonly timeoutMs: number },
): Promise<boolean> {
  const answer = await http.send({
    method: 'GET',
    path: pathOf('_cluster', 'health', index),
    query: {
      wait_for_status: 'yellow',
      ...(shards === 'all'
        ? { wait_for_no_initializing_shards: 'true', wait_for_events: 'languid' }
        : undefined),
      timeout: `${timeoutMs}ms`,
    },
  })
  // 408 when the time has passed, with the same body.
  const body = answer.kind === 'answer' ? parseObject(answer.text) : null
  if (typeof body?.timed_out !== 'boolean') throw failureError(answer, `waiting for the shards of ${index}`)
  return !body.timed_out
}

/** How many operations an index has carried out, by anybody: whether it changes between two looks. */
export async function countWrites(http: Http, index: string): Promise<number> {
  const doing = `looking for writes to ${index}`
  const answer = objectOf(
    await http.send({ method: 'GET', path: pathOf(index, '_stats', 'indexing') }),
    doing,
  )
  const all = isObject(answer._all) && isObject(answer._all.primaries) ? answer._all.primaries.indexing : null
  if (!isObject(all)) throw new FailedError(`an answer without figures while ${doing}`)
  return Number(all.index_total) + Number(all.delete_total)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEntry(entry: [string, unknown]): entry is [string, JsonObject] {
  return isObject(entry[1])
}
