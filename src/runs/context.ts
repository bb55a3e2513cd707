import type pg from 'pg'
import type { Logger } from 'pino'
import type { DocumentDefinition } from '../config/types.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'

/** All that executing runs needs. */
export interface RunContext {
  readonly pool: pg.Pool
  readonly schema: string
  readonly elasticsearch: Pick<
    Elasticsearch,
    | 'refresh'
    | 'count'
    | 'listDocuments'
    | 'pointInTime'
    | 'sampleDocuments'
    | 'existing'
    | 'stored'
    | 'getMappings'
    | 'getSettings'
    | 'bulk'
    | 'createIndex'
    | 'deleteIndex'
    | 'indexUuid'
    | 'aliasTargets'
    | 'aliasesOf'
    | 'indexAliases'
    | 'changeAliases'
    | 'putSettings'
    | 'awaitShards'
    | 'countWrites'
    | 'flush'
    | 'indexSize'
    | 'startMerge'
    | 'mergeState'
  >
  /** Documents this process may work on now; it may change between two looks (`Daemon.plans`). */
  readonly plans: ReadonlyMap<string, DocumentPlan>
  /** What the configuration says of them that is not in the plan: functions, the brake. Default: nothing. */
  readonly definitions?: ReadonlyMap<string, RunDefinition>
  /** Name of this process, for `sync_run.worker`. */
  readonly instance: string
  readonly log: Logger
  /** Called when a run begins to wait for its marks: a daemon at rest has not seen them, and need not wait for its next poll. */
  readonly onWaiting?: () => void
}

export type RunDefinition = Pick<DocumentDefinition, 'transform' | 'brake'>

/** A run in this process's hands, with its document's plan. */
export interface RunWork extends Pick<RunContext, 'pool' | 'schema' | 'elasticsearch' | 'onWaiting'> {
  readonly plan: DocumentPlan
  readonly definition?: RunDefinition | undefined
  /** Aborts with a RunInterrupted as its reason. */
  readonly signal: AbortSignal
}
