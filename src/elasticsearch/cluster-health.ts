import { failureError, unreachable } from './failures.ts'
import type { Http } from './http.ts'
import { parseObject } from './outcome-request.ts'

/** What a cluster says of itself. */
export interface ClusterHealth {
  /** yellow: copies of shards have no node; red: shards. */
  readonly status: 'green' | 'yellow' | 'red'
  readonly nodes: number
  readonly unassignedShards: number
}

const COLOURS = ['green', 'yellow', 'red'] as const

/** Needs the privilege `monitor`, as a probe does. Throws UnreachableError or FailedError. */
export async function clusterHealth(http: Http): Promise<ClusterHealth> {
  const answer = await http.send({ method: 'GET', path: '/_cluster/health' })
  if (answer.kind !== 'answer') throw unreachable(answer)
  const body = parseObject(answer.text)
  const status = COLOURS.find((colour) => colour === body?.status)
  if (answer.status !== 200 || status === undefined)
    throw failureError(answer, "asking for the cluster's health")
  return { status, nodes: Number(body?.number_of_nodes), unassignedShards: Number(body?.unassigned_shards) }
}
