import { setTimeout as delay } from 'node:timers/promises'
import type { Transform } from '../config/types.ts'
import type { DocumentKey } from '../documents/types.ts'
import { parseExact } from '../elasticsearch/json.ts'
import { redactReason } from '../elasticsearch/redact.ts'
import { plainJson } from './plain-json.ts'
import type { KeyFailure, LoadedDocument } from './types.ts'

/** A document's `transform`, and for how long to go on with it. */
export interface Transforming {
  readonly document: string
  readonly transform: Transform
  /** Whether the claim's life is over: nothing more is begun. */
  readonly over: () => boolean
}

/** What is asked of a key here. */
type Named = Pick<DocumentKey, 'key' | 'id'>

/** What became of a slice's documents. */
export interface Transformed<Key extends Named> {
  readonly documents: ReadonlyMap<string, LoadedDocument>
  /** The function threw, took too long or returned what no document can be: that document's fault alone. */
  readonly failures: readonly KeyFailure[]
  /** Keys that were not come to. */
  readonly left: readonly Key[]
}

/**
 * Milliseconds for one document. Far above what looking something up elsewhere takes, and short enough that a few that
 * hang end within a claim's life. It ends the wait for a promise; nothing can end a function that computes for ever.
 */
const TRANSFORM_LIMIT_MS = 10_000

/** Calls under way at once in one batch: enough for look-ups elsewhere, not so many that they are an onslaught. */
const AT_ONCE = 16

interface Call<Key extends Named> {
  readonly keys: readonly Key[]
  readonly loaded: LoadedDocument
  /** Undefined while it was not come to. */
  result:
    | undefined
    | { readonly json: Buffer | null }
    | { readonly failure: Pick<KeyFailure, 'type' | 'reason'> }
}

/** Loaded documents as the configuration's function makes them. Null: there is no such function. */
export async function transformDocuments<Key extends Named>(
  transforming: Transforming | null,
  keys: readonly Key[],
  documents: ReadonlyMap<string, LoadedDocument>,
  limitMs = TRANSFORM_LIMIT_MS,
): Promise<Transformed<Key>> {
  if (transforming === null || documents.size === 0) return { documents, failures: [], left: [] }
  const calls = callsOf(keys, documents)
  const waiting = calls.values()
  const work = async () => {
    for (const call of waiting) {
      if (transforming.over()) return
      call.result = await transformOne(transforming, call, limitMs)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))

  const transformed = new Map(documents)
  const failures: KeyFailure[] = []
  const left: Key[] = []
  for (const { keys: asked, loaded, result } of calls) {
    for (const key of asked) {
      if (result === undefined) left.push(key)
      else if ('json' in result) transformed.set(key.key, { ...loaded, json: result.json })
      else failures.push({ key: key.key, id: key.id, ...result.failure })
    }
  }
  return { documents: transformed, failures, left }
}

/** One call for each row, whatever number of keys it has; none for what Elasticsearch cannot hold anyway. */
function callsOf<Key extends Named>(
  keys: readonly Key[],
  documents: ReadonlyMap<string, LoadedDocument>,
): readonly Call<Key>[] {
  const calls = new Map<LoadedDocument, Call<Key> & { keys: Key[] }>()
  for (const key of keys) {
    const loaded = documents.get(key.key)
    if (loaded === undefined || loaded.json === null || loaded.problem !== null) continue
    const call = calls.get(loaded)
    if (call === undefined) calls.set(loaded, { keys: [key], loaded, result: undefined })
    else call.keys.push(key)
  }
  return [...calls.values()]
}

async function transformOne<Key extends Named>(
  { document, transform }: Transforming,
  { keys: [key], loaded }: Call<Key>,
  limitMs: number,
): Promise<Call<Key>['result']> {
  const id = key?.id ?? ''
  try {
    const parsed = parseExact(loaded.json?.toString() ?? '{}') as Record<string, unknown>
    const made = await inTime(async () => transform(parsed, { document, id }), limitMs)
    if (made === OUT_OF_TIME) {
      return failure('transform_timeout', `transform did not end within ${limitMs / 1000} s`)
    }
    if (made === null) return { json: null }
    const { json, problem } = plainJson(made)
    return json === null
      ? failure('transform_result', `transform returned ${problem}`)
      : { json: Buffer.from(json) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return failure('transform_error', `transform threw: ${redactReason({ reason: message })}`)
  }
}

const failure = (type: string, reason: string) => ({ failure: { type, reason } })

const OUT_OF_TIME = Symbol('out of time')

/** What it comes to, or OUT_OF_TIME; what it comes to later is nobody's any more. */
async function inTime<T>(run: () => Promise<T>, limitMs: number): Promise<T | typeof OUT_OF_TIME> {
  const timer = new AbortController()
  try {
    return await Promise.race([run(), delay(limitMs, OUT_OF_TIME, { signal: timer.signal })])
  } finally {
    timer.abort()
  }
}
