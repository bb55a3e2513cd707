import type pg from 'pg'
import type { Logger } from 'pino'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'

/** All that executing runs needs. */
export interface RunContext {
  readonly pool: pg.Pool
  readonly schema: string
  readonly elasticsearch: Pick<
    Elasticsearch,
    'refresh' | 'listDocuments' | 'flush' | 'indexSize' | 'startMerge' | 'mergeState'
  >
  /** Documents this process may work on now; it may change between two looks (`Daemon.plans`). */
  readonly plans: ReadonlyMap<string, DocumentPlan>
  /** Name of this process, for `sync_run.worker`. */
  readonly instance: string
  readonly log: Logger
}

/** A run in this process's hands, with its document's plan. */
export interface RunWork extends Pick<RunContext, 'pool' | 'schema' | 'elasticsearch'> {
  readonly plan: DocumentPlan
  /** Aborts with a RunInterrupted as its reason. */
  readonly signal: AbortSignal
}
