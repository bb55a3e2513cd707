import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What of the program is simulated: loaded from `src/`, or from a copy that is broken on purpose. */
export interface Pipeline {
  readonly runWorker: typeof import('../../src/sync/worker.ts').runWorker
  readonly Dispatcher: typeof import('../../src/sync/dispatcher.ts').Dispatcher
  readonly DocumentPauses: typeof import('../../src/sync/document-pauses.ts').DocumentPauses
  readonly BlockedIndices: typeof import('../../src/sync/blocked-indices.ts').BlockedIndices
  readonly BulkGate: typeof import('../../src/sync/bulk-gate.ts').BulkGate
  readonly QueueFronts: typeof import('../../src/sync/queue-fronts.ts').QueueFronts
  readonly Absences: typeof import('../../src/sync/absences.ts').Absences
  readonly batchEnded: typeof import('../../src/sync/batch-ended.ts').batchEnded
  readonly batchesInFlight: typeof import('../../src/sync/in-flight.ts').batchesInFlight
  readonly tendParkedKeys: typeof import('../../src/sync/parked-keys.ts').tendParkedKeys
  readonly obstacleOf: typeof import('../../src/sync/obstacle.ts').obstacleOf
  readonly backoffDelay: typeof import('../../src/sync/pacing.ts').backoffDelay
  readonly elasticsearchOver: typeof import('../../src/elasticsearch/client.ts').elasticsearchOver
}

const FILES = [
  'sync/worker.ts',
  'sync/dispatcher.ts',
  'sync/document-pauses.ts',
  'sync/blocked-indices.ts',
  'sync/bulk-gate.ts',
  'sync/queue-fronts.ts',
  'sync/absences.ts',
  'sync/batch-ended.ts',
  'sync/in-flight.ts',
  'sync/parked-keys.ts',
  'sync/obstacle.ts',
  'sync/pacing.ts',
  'elasticsearch/client.ts',
]

/** @param root directory that holds `src/` */
export async function loadPipeline(root = join(import.meta.dirname, '../..')): Promise<Pipeline> {
  const modules = await Promise.all(FILES.map((file) => import(pathToFileURL(join(root, 'src', file)).href)))
  return Object.assign({}, ...modules) as Pipeline
}
