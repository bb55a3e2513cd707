import type { Status } from '../../answers/read-status.ts'
import type { DocumentPlan } from '../../documents/types.ts'
import type { Elasticsearch } from '../../elasticsearch/client.ts'
import { templatePattern } from '../../elasticsearch/names.ts'

/** An index that forgets its deletes too soon. */
export interface ShortTombstones {
  readonly document: string
  readonly index: string
  /** `index.gc_deletes` as the server has it. */
  readonly stated: string
  /** The configuration asks for it. */
  readonly configured: boolean
}

const SETTING = 'index.gc_deletes'

/** What Elasticsearch does where nothing is stated. */
const SERVERS_DEFAULT = '60s'

/**
 * An hour. A body is sent within its claim's life, a minute at most, and given up after REQUEST_TIMEOUT, ten minutes at
 * most; the rest is for what a proxy, or a queue of the cluster, may hold after that.
 */
const LONG_ENOUGH_MS = 3_600_000

/** Indices that are written to, and forget deletes in less than an hour. Two requests for a document. */
export async function readShortTombstones(
  elasticsearch: Pick<Elasticsearch, 'indexSetting' | 'indexUuids'>,
  plans: readonly Pick<DocumentPlan, 'document' | 'index' | 'settings'>[],
  indices: Status['indices'],
): Promise<readonly ShortTombstones[]> {
  const found: ShortTombstones[] = []
  for (const { document, index: names, settings } of plans) {
    const written = indices.filter((index) => index.document === document && index.role !== 'retired')
    if (written.length === 0) continue
    const configured = durationMs(String(settings[SETTING])) < LONG_ENOUGH_MS
    const pattern = templatePattern(names)
    const there = await elasticsearch.indexUuids(pattern)
    const stated = await elasticsearch.indexSetting(pattern, SETTING)
    for (const { name: index } of written) {
      const value = stated.get(index) ?? SERVERS_DEFAULT
      if (!there.has(index) || durationMs(value) >= LONG_ENOUGH_MS) continue
      found.push({ document, index, stated: value, configured })
    }
  }
  return found
}

const UNITS: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  micros: 0.001,
  nanos: 0.000_001,
}

/** Milliseconds of a time as Elasticsearch writes it; 0 for -1, and for what is none. */
function durationMs(text: string): number {
  const [, number = '0', unit = ''] = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text) ?? []
  return Number(number) * (UNITS[unit] ?? 0)
}
