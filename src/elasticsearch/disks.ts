import { objectOf } from './failures.ts'
import type { Http } from './http.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** Where a node's disk stands: `low`: no new shards come to it; `high`: shards leave it; `flood_stage`: its indices take no writes. */
export type Watermark = 'low' | 'high' | 'flood_stage'

/** The disk of a node that holds data. */
export interface Disk {
  readonly node: string
  /** Bytes. */
  readonly total: number
  readonly free: number
  /** The worst that it has passed; null: none, or the cluster does not look. */
  readonly passed: Watermark | null
}

const SETTING = 'cluster.routing.allocation.disk'

/** Worst first. */
const WATERMARKS: readonly Watermark[] = ['flood_stage', 'high', 'low']

/** Needs the privilege `monitor`. Two requests. Throws UnreachableError or FailedError. */
export async function readDisks(http: Http): Promise<readonly Disk[]> {
  const answer = await http.send({
    method: 'GET',
    path: '/_cluster/settings',
    query: { include_defaults: 'true', filter_path: `error,status,*.${SETTING}` },
  })
  const stated = objectOf(answer, "reading the cluster's settings") as Readonly<
    Record<'defaults' | 'persistent' | 'transient', JsonObject | undefined>
  >
  const settings = Object.assign(
    {},
    ...[stated.defaults, stated.persistent, stated.transient].map((group) => flat(group ?? {})),
  ) as Readonly<Record<string, string>>
  const stats = await http.send({
    method: 'GET',
    path: '/_nodes/stats/fs',
    query: { filter_path: 'error,status,nodes.*.name,nodes.*.roles,nodes.*.fs.total' },
  })
  const { nodes = {} } = objectOf(stats, "reading the nodes' disks") as {
    nodes?: Readonly<Record<string, RawNode>>
  }
  return Object.values(nodes).flatMap(({ name, roles = [], fs }) => {
    const { total_in_bytes: total = 0, available_in_bytes: free = 0 } = fs?.total ?? {}
    if (total === 0 || !roles.some((role) => role.startsWith('data'))) return []
    return [{ node: name, total, free, passed: watermarkPassed({ total, free }, settings) }]
  })
}

interface RawNode {
  readonly name: string
  readonly roles?: readonly string[]
  readonly fs?: {
    readonly total?: { readonly total_in_bytes?: number; readonly available_in_bytes?: number }
  }
}

/**
 * Elasticsearch's own rule: a watermark is what has to stay free in bytes (`500mb`), or the share that may be used (`85%`,
 * `0.85`), where no more than its `max_headroom` has to stay free. Pure.
 *
 * @param settings flat: `cluster.routing.allocation.disk.watermark.low` → `85%`
 */
export function watermarkPassed(
  { total, free }: Pick<Disk, 'total' | 'free'>,
  settings: Readonly<Record<string, string | undefined>>,
): Watermark | null {
  if (settings[`${SETTING}.threshold_enabled`] === 'false') return null
  const passed = WATERMARKS.find((name) => {
    const watermark = settings[`${SETTING}.watermark.${name}`]
    if (watermark === undefined) return false
    const used = shareOf(watermark)
    if (used === null) return free < bytesOf(watermark)
    const headroom = settings[`${SETTING}.watermark.${name}.max_headroom`] ?? '-1'
    const wanted = total * (1 - used)
    return free < (headroom === '-1' ? wanted : Math.min(wanted, bytesOf(headroom)))
  })
  return passed ?? null
}

function shareOf(text: string): number | null {
  if (text.endsWith('%')) return Number(text.slice(0, -1)) / 100
  return /^[01]?\.\d+$|^[01]$/.test(text) ? Number(text) : null
}

const UNITS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 }

/** Bytes of a size as Elasticsearch writes it: `500mb`, `100gb`. */
function bytesOf(text: string): number {
  const [, number = '0', unit = ''] = /^(\d+(?:\.\d+)?)([kmgtp]?)b$/.exec(text.toLowerCase()) ?? []
  return Number(number) * 1024 ** (UNITS[unit] ?? 0)
}

/** Nested or not, with dots: of a value that has settings below it Elasticsearch nests only some. */
function flat(group: JsonObject, path = ''): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [key, value] of Object.entries(group)) {
    const at = path === '' ? key : `${path}.${key}`
    if (typeof value === 'object' && value !== null) Object.assign(found, flat(value as JsonObject, at))
    else found[at] = String(value)
  }
  return found
}
