import { definitionHash } from '../documents/hash.ts'
import { DEFAULT_SHARE } from './brake.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { indexSizes } from './index-sizes.ts'
import { observed } from './observer.ts'
import type { WorkerContext } from './worker.ts'

type Shared = Pick<
  WorkerContext,
  'store' | 'dispatcher' | 'fronts' | 'blocked' | 'gate' | 'plans' | 'unwritten' | 'server' | 'onBatch'
>

/** What all workers of a daemon work with. */
export function workerContext(
  { settings, elasticsearch, observer }: DaemonOptions,
  shared: Shared,
): WorkerContext {
  const { instance, limits, documents } = settings
  const now = () => performance.now()
  return {
    ...shared,
    instance,
    limits,
    elasticsearch: observed(elasticsearch, observer),
    now,
    brake: {
      share: (document) => documents.get(document)?.brake?.deletes ?? DEFAULT_SHARE,
      size: indexSizes((index) => elasticsearch.count(index), now),
    },
    sizers: new Map(),
    confidences: new Map(),
    transforms: new Map(
      [...documents].flatMap(([name, { transform }]) => (transform === undefined ? [] : [[name, transform]])),
    ),
    hashes: new Map([...documents].map(([name, definition]) => [name, definitionHash(definition)])),
  }
}
