import { definitionHash } from '../documents/hash.ts'
import { DEFAULT_SHARE } from './brake.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { indexSizes } from './index-sizes.ts'
import { observed } from './observer.ts'
import type { WorkerContext } from './worker.ts'

type Shared = Pick<
  WorkerContext,
  'dispatcher' | 'blocked' | 'gate' | 'plans' | 'unwritten' | 'server' | 'onBatch'
>

/** What all workers of a daemon work with. */
export function workerContext(
  { settings, pool, elasticsearch, observer }: DaemonOptions,
  shared: Shared,
): WorkerContext {
  const { schema, instance, limits, documents } = settings
  return {
    ...shared,
    schema,
    instance,
    limits,
    pool,
    elasticsearch: observed(elasticsearch, observer),
    brake: {
      share: (document) => documents.get(document)?.brake?.deletes ?? DEFAULT_SHARE,
      size: indexSizes(
        (index) => elasticsearch.count(index),
        () => performance.now(),
      ),
    },
    confidences: new Map(),
    transforms: new Map(
      [...documents].flatMap(([name, { transform }]) => (transform === undefined ? [] : [[name, transform]])),
    ),
    hashes: new Map([...documents].map(([name, definition]) => [name, definitionHash(definition)])),
  }
}
