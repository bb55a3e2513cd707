import { setTimeout as delay } from 'node:timers/promises'

/** Reads Elasticsearch while everything goes wrong: what a search can see must be good at every moment. */
export interface Watch {
  /** Documents looked at. */
  readonly looks: number
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

const PAUSE_MS = 150
const MOST_FINDINGS = 20

/**
 * Looks at all documents of an index pattern again and again. No document's version may go back, and in none may a part
 * have another stamp than its product: they change in one transaction.
 */
export function watchDocuments(elasticsearch: string, pattern: string): Watch {
  const stopping = new AbortController()
  const versions = new Map<string, number>()
  const findings: string[] = []
  const watch = {
    looks: 0,
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
    if (hit._version < before) tell(`${name}: version ${hit._version} after ${before}`)
    versions.set(name, Math.max(before, hit._version))
    const { stamp, parts = [] } = hit._source
    const torn = parts.filter((part) => part.stamp !== stamp)
    if (torn.length > 0) tell(`${name} at version ${hit._version} is torn: ${JSON.stringify(hit._source)}`)
  }
  const tell = (finding: string): void => {
    if (findings.length < MOST_FINDINGS) findings.push(finding)
  }
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      for (const hit of await search(elasticsearch, pattern)) look(hit)
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
