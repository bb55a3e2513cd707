import { failureError, isAbsent, objectOf } from './failures.ts'
import { type Http, pathOf } from './http.ts'
import { parseObject } from './outcome-request.ts'
import type { ServerInfo } from './types.ts'

/** What an index shows of its past. */
export interface IndexState {
  readonly uuid: string
  readonly shards: ShardStates
}

/** Primary shards by their numbers, without those that are away or just recovering. */
export type ShardStates = Readonly<Record<string, ShardState>>

export interface ShardState {
  /** UUID of its history: a shard that is restored from a snapshot, or made anew, begins another one. */
  readonly history: string
  /** Number of the last operation that it has on its disk; it goes back only where older data was put in its place. */
  readonly checkpoint: number
}

/** Versions from the first to the last, both included. */
export interface VersionRange {
  readonly first: bigint
  readonly last: bigint
}

/** State of the open indices that a name or a pattern stands for, by name: one request for thousands of tenants. */
export async function indexStates(http: Http, names: string): Promise<ReadonlyMap<string, IndexState>> {
  const answer = await http.send({
    method: 'GET',
    path: pathOf(names, '_stats', 'docs'),
    query: {
      level: 'shards',
      filter_path:
        'error,status,_shards,indices.*.uuid,indices.*.shards.*.routing,indices.*.shards.*.seq_no.local_checkpoint,indices.*.shards.*.commit.user_data.history_uuid',
    },
  })
  if (isAbsent(answer)) return new Map()
  const { indices = {} } = objectOf(answer, `reading the state of ${names}`) as {
    indices?: Readonly<Record<string, RawState>>
  }
  return new Map(
    Object.entries(indices).flatMap(([name, { uuid, shards = {} }]) =>
      uuid === undefined ? [] : [[name, { uuid, shards: shardsOf(shards) }] as const],
    ),
  )
}

interface RawState {
  readonly uuid?: string
  readonly shards?: Readonly<Record<string, readonly RawShard[]>>
}

interface RawShard {
  readonly routing?: { readonly state?: string; readonly primary?: boolean }
  readonly seq_no?: { readonly local_checkpoint?: number }
  readonly commit?: { readonly user_data?: { readonly history_uuid?: string } }
}

function shardsOf(shards: Readonly<Record<string, readonly RawShard[]>>): ShardStates {
  return Object.fromEntries(
    Object.entries(shards).flatMap(([number, copies]) => {
      const primary = copies.find(({ routing }) => routing?.primary === true && routing.state === 'STARTED')
      const history = primary?.commit?.user_data?.history_uuid
      const checkpoint = primary?.seq_no?.local_checkpoint
      return history === undefined || checkpoint === undefined ? [] : [[number, { history, checkpoint }]]
    }),
  )
}

/** Aliases of the open indices that a name or a pattern stands for, by index. */
export async function indexAliases(
  http: Http,
  names: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const answer = await http.send({ method: 'GET', path: pathOf(names, '_alias') })
  if (isAbsent(answer)) return new Map()
  const entries = Object.entries(objectOf(answer, `reading the aliases of ${names}`)) as [
    string,
    { aliases?: object },
  ][]
  return new Map(entries.map(([index, { aliases }]) => [index, Object.keys(aliases ?? {})]))
}

/** The highest version of what was looked at, and the highest of those in the ranges asked for; null: there is none. */
export interface HighestVersions {
  readonly highest: bigint | null
  readonly within: bigint | null
}

/**
 * The highest versions among the searchable documents of these indices. Missing ones are left out. Elasticsearch reads the
 * versions of all documents, some 30 ns each. OpenSearch cannot ("Fielddata is not supported on field [_version]"): there
 * the thousand documents that were written last are looked at.
 */
export async function highestVersions(
  http: Http,
  product: ServerInfo['product'],
  indices: string,
  ranges: readonly VersionRange[],
): Promise<HighestVersions> {
  const search = product === 'opensearch' ? newest : aggregation(ranges)
  const answer = await http.send({
    method: 'POST',
    path: pathOf(indices, '_search'),
    query: { ignore_unavailable: 'true', filter_path: 'error,status,aggregations,hits.hits._version' },
    body: { track_total_hits: false, ...search },
  })
  if (isAbsent(answer)) return { highest: null, within: null }
  if (answer.kind !== 'answer' || answer.status !== 200)
    throw failureError(answer, `reading the versions in ${indices}`)
  const body = (parseObject(answer.text) ?? {}) as RawVersions
  if (product === 'opensearch') {
    const versions = (body.hits?.hits ?? []).map(({ _version }) => _version)
    const isWithin = (version: number) =>
      ranges.some(({ first, last }) => version >= Number(first) && version <= Number(last))
    return { highest: highestOf(versions), within: highestOf(versions.filter(isWithin)) }
  }
  const { highest, within } = body.aggregations ?? {}
  const values = (within?.buckets ?? []).map((bucket) => bucket.highest.value)
  return { highest: highestOf([highest?.value ?? null]), within: highestOf(values) }
}

const newest = { size: 1000, version: true, _source: false, sort: [{ _seq_no: 'desc' }] }

function aggregation(ranges: readonly VersionRange[]) {
  const highest = { max: { field: '_version' } }
  const bounds = ranges.map(({ first, last }) => ({ from: Number(first), to: Number(last) + 1 }))
  // A range aggregation must have ranges.
  const within = { range: { field: '_version', ranges: bounds }, aggs: { highest } }
  return { size: 0, aggs: bounds.length === 0 ? { highest } : { highest, within } }
}

interface RawVersions {
  readonly hits?: { readonly hits: readonly { readonly _version: number }[] }
  readonly aggregations?: {
    readonly highest?: RawMax
    readonly within?: { readonly buckets: readonly { readonly highest: RawMax }[] }
  }
}

interface RawMax {
  readonly value: number | null
}

/** Exact up to 2^53, which the clock in microseconds reaches in the year 2255. */
function highestOf(values: readonly (number | null)[]): bigint | null {
  const present = values.filter((value) => value !== null)
  return present.length === 0 ? null : BigInt(Math.round(Math.max(...present)))
}
