import { FailedError } from '../errors.ts'
import { isAbsent, objectOf } from './failures.ts'
import { type Http, pathOf } from './http.ts'
import { errorOf } from './outcome-request.ts'
import { type ErrorBody, plainReason } from './redact.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** What an index takes, in its primary shards: replicas come on top. */
export interface IndexSize {
  /** Searchable Lucene documents: a nested one counts apart. */
  readonly documents: number
  /** Deleted or overwritten ones that are still on disk. */
  readonly deleted: number
  readonly bytes: number
  readonly segments: number
}

/** As of the last refresh. Throws FailedError when there is no such index. */
export async function indexSize(http: Http, index: string): Promise<IndexSize> {
  const doing = `reading the size of ${index}`
  const answer = await http.send({
    method: 'GET',
    path: `${pathOf(index)}/_stats/docs,store,segments`,
    query: { filter_path: '_all.primaries,error,status' },
  })
  const primaries = inside(objectOf(answer, doing), '_all', 'primaries')
  const number = (group: string, name: string): number => {
    const value = inside(primaries, group)[name]
    if (typeof value === 'number') return value
    throw new FailedError(`the answer has no ${group}.${name} while ${doing}`, {
      where: `Elasticsearch at ${http.nodes}`,
      remedy: 'look at the health of that index',
    })
  }
  return {
    documents: number('docs', 'count'),
    deleted: number('docs', 'deleted'),
    bytes: number('store', 'size_in_bytes'),
    segments: number('segments', 'count'),
  }
}

/** Commits what the index has in memory to its files. */
export async function flush(http: Http, index: string): Promise<void> {
  objectOf(await http.send({ method: 'POST', path: pathOf(index, '_flush') }), `flushing ${index}`)
}

/**
 * Starts to rewrite the segments of which more than a tenth is deleted documents
 * (`index.merge.policy.expunge_deletes_allowed`), and returns the id of the task that does it: it may take hours, longer
 * than any request.
 */
export async function startMerge(http: Http, index: string): Promise<string> {
  const doing = `starting a merge of ${index}`
  const { task } = objectOf(
    await http.send({
      method: 'POST',
      path: pathOf(index, '_forcemerge'),
      query: { only_expunge_deletes: 'true', wait_for_completion: 'false' },
    }),
    doing,
  )
  if (typeof task === 'string') return task
  throw new FailedError(`the answer names no task while ${doing}`, {
    where: `Elasticsearch at ${http.nodes}`,
  })
}

/**
 * How a merge is doing: `unknown` when its node has been restarted since, and with it the task. Throws FailedError when
 * it failed.
 */
export async function mergeState(
  http: Http,
  index: string,
  task: string,
): Promise<'running' | 'done' | 'unknown'> {
  const answer = await http.send({ method: 'GET', path: pathOf('_tasks', task) })
  if (isAbsent(answer)) return 'unknown'
  const body = objectOf(answer, `looking at the merge of ${index}`)
  if (body.completed !== true) return 'running'
  const reason = errorOf(body) ?? shardFailure(body)
  if (reason === null) return 'done'
  throw new FailedError(`its segments could not be merged: ${plainReason(reason)}`, { where: index })
}

/** The first shard that could not do it, of an answer with `_shards`. */
function shardFailure(task: JsonObject): ErrorBody | null {
  const { failures } = inside(task, 'response', '_shards')
  const [first] = Array.isArray(failures) ? (failures as readonly unknown[]) : []
  return isObject(first) && isObject(first.reason) ? first.reason : null
}

/** The object at a path; an empty one where there is none. */
function inside(value: JsonObject, ...path: readonly string[]): JsonObject {
  let at = value
  for (const key of path) {
    const inner = at[key]
    at = isObject(inner) ? inner : {}
  }
  return at
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
