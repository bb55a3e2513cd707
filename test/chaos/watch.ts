import { setTimeout as delay } from 'node:timers/promises'

/** Reads Elasticsearch while everything goes wrong: what a search can see must be good at every moment. */
export interface Watch {
  /** Documents looked at. */
  readonly looks: number
  /** Documents whose version went back; documents of two moments; looks at which an alias led nowhere, or to nothing. */
  readonly regressions: number
  readonly torn: number
  readonly gaps: number
  readonly findings: readonly string[]
  stop(): Promise<void>
}

interface Hit {
  readonly _index: string
  readonly _id: string
  readonly _routing?: string
  readonly _version: number
  readonly _source: {
    readonly stamp?: number
    readonly parts?: readonly { readonly stamp: number }[]
  }
}

/** Aliases that are moved by reindexes, and whether a statement may empty them at once. */
const ALIASES = [
  { alias: 'chaos-items', emptied: true },
  { alias: 'chaos-labels', emptied: true },
  { alias: 'chaos-events', emptied: true },
  { alias: 'chaos-routed', emptied: false },
] as const

/** No statement takes so many away between two looks and leaves none. */
const MANY = 500

const PAUSE_MS = 150
const MOST_FINDINGS = 20

/**
 * Looks at all documents of an index pattern again and again. No document's version may go back, and in none may a part
 * have another stamp than its product: they change in one transaction.
 * No alias may lead nowhere, nor to an empty index where there were many documents at the look before.
 */
export function watchDocuments(elasticsearch: string, pattern: string): Watch {
  const stopping = new AbortController()
  const versions = new Map<string, number>()
  const findings: string[] = []
  const watch = {
    looks: 0,
    regressions: 0,
    torn: 0,
    gaps: 0,
    findings,
    stop: async () => {
      stopping.abort()
      await ended
    },
  }
  const look = (hit: Hit): void => {
    watch.looks += 1
    const name = `${hit._index} ${hit._id} ${hit._routing ?? ''}`
    const before = versions.get(name) ?? 0
    if (hit._version < before) {
      watch.regressions += 1
      tell(`${name}: version ${hit._version} after ${before}`)
    }
    versions.set(name, Math.max(before, hit._version))
    const { stamp, parts = [] } = hit._source
    const torn = parts.filter((part) => part.stamp !== stamp)
    if (torn.length === 0) return
    watch.torn += 1
    tell(`${name} at version ${hit._version} is torn: ${JSON.stringify(hit._source)}`)
  }
  const counts = new Map<string, number>()
  const lookAt = async ({ alias, emptied }: (typeof ALIASES)[number]): Promise<void> => {
    const seen = await count(elasticsearch, alias)
    if (seen === null) return
    const before = counts.get(alias) ?? 0
    const gap = seen === 'nowhere' || (!emptied && seen === 0 && before >= MANY)
    if (gap) {
      watch.gaps += 1
      tell(`alias ${alias} leads to ${seen} documents, after ${before}`)
    }
    if (seen !== 'nowhere') counts.set(alias, seen)
  }
  const tell = (finding: string): void => {
    if (findings.length < MOST_FINDINGS) findings.push(finding)
  }
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      for (const hit of await search(elasticsearch, pattern)) look(hit)
      for (const alias of ALIASES) await lookAt(alias)
      await delay(PAUSE_MS)
    }
  }
  const ended = loop()
  return watch
}

/** All documents, as far as the server answers: it is killed and frozen all the time. */
async function search(elasticsearch: string, pattern: string): Promise<readonly Hit[]> {
  try {
    const answer = await fetch(new URL(`/${pattern}/_search?version=true&size=10000`, elasticsearch), {
      signal: AbortSignal.timeout(5_000),
    })
    const { hits } = (await answer.json()) as { hits?: { hits: readonly Hit[] } }
    return hits?.hits ?? []
  } catch {
    return []
  }
}

/** How many documents an alias leads to; null: the server, or one of its shards, does not say. */
async function count(elasticsearch: string, alias: string): Promise<number | 'nowhere' | null> {
  const query = 'size=0&track_total_hits=true&allow_partial_search_results=false'
  try {
    const answer = await fetch(new URL(`/${alias}/_search?${query}`, elasticsearch), {
      signal: AbortSignal.timeout(5_000),
    })
    if (answer.status === 404) return 'nowhere'
    const { hits } = (await answer.json()) as { hits?: { total: { value: number } } }
    return hits?.total.value ?? null
  } catch {
    return null
  }
}
