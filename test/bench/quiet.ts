import { setTimeout as delay } from 'node:timers/promises'
import type { World } from './world.ts'

/**
 * Waits until Elasticsearch is at rest. A section leaves merges, refreshes and flushes behind, which go on with a tenth of both
 * cores and more for seconds after its last answer: begun meanwhile, the next section would pay for them, and a ceiling that
 * is measured after a section would come out lower than one before it.
 */

/** What `_nodes/stats` says of each node, as far as it is asked. */
export interface NodesStats {
  readonly nodes?: Readonly<
    Record<
      string,
      {
        readonly indices?: {
          readonly merges?: { readonly current: number }
          readonly indexing?: { readonly index_current: number; readonly delete_current: number }
        }
        readonly thread_pool?: Readonly<Record<string, { readonly active: number; readonly queue: number }>>
      }
    >
  >
}

/** Those that index, refresh, flush and merge; `merge` is where newer versions merge. Ours of the moment is in `management`. */
const POOLS = ['write', 'system_write', 'refresh', 'flush', 'force_merge', 'merge']

const PATH = `/_nodes/stats/indices,thread_pool?filter_path=${[
  'nodes.*.indices.merges.current',
  'nodes.*.indices.indexing.*_current',
  ...POOLS.map((pool) => `nodes.*.thread_pool.${pool}`),
].join()}`

/** Between two looks. A merge that has ended may call for the next one, and a refresh comes every second. */
const LOOK_EVERY_MS = 100
const LOOKS_IN_A_ROW = 3

/** Of our own servers: nobody else is there. On others somebody may always be at work, and what is measured then is what they are like. */
const DEADLINE_MS = { own: 180_000, outside: 10_000 }

/** What is under way, as `merges 1, refresh 2`; empty at rest. Pure. */
export function underWay({ nodes = {} }: NodesStats): string {
  const counts = new Map<string, number>()
  const add = (what: string, count = 0) => {
    if (count > 0) counts.set(what, (counts.get(what) ?? 0) + count)
  }
  for (const { indices, thread_pool: pools } of Object.values(nodes)) {
    add('merges', indices?.merges?.current)
    add('indexing', indices?.indexing?.index_current)
    add('deleting', indices?.indexing?.delete_current)
    for (const pool of POOLS) add(pool, (pools?.[pool]?.active ?? 0) + (pools?.[pool]?.queue ?? 0))
  }
  return [...counts].map(([what, count]) => `${what} ${count}`).join(', ')
}

/**
 * Resolves at rest; throws, and says what is under way, where that takes longer than three minutes. Servers that are not ours
 * get ten seconds, and nothing is thrown.
 */
export async function quiet(
  { search, pids }: Pick<World, 'search' | 'pids'>,
  deadlineMs = pids === null ? DEADLINE_MS.outside : DEADLINE_MS.own,
): Promise<void> {
  const deadline = performance.now() + deadlineMs
  for (let looks = 0; looks < LOOKS_IN_A_ROW; ) {
    const found = underWay((await search('GET', PATH)) as NodesStats)
    looks = found === '' ? looks + 1 : 0
    if (performance.now() > deadline) {
      if (pids === null) return
      throw new Error(`Elasticsearch is not at rest after ${deadlineMs / 1000} s: ${found}`)
    }
    if (looks < LOOKS_IN_A_ROW) await delay(LOOK_EVERY_MS)
  }
}
