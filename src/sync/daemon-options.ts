import type pg from 'pg'
import type { Logger } from 'pino'
import type { ElasticsearchSettings, ScheduleDefinition, Settings } from '../config/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import type { Assignment } from './dispatcher.ts'
import type { DaemonObserver } from './observer.ts'
import type { BatchResult, DaemonState } from './types.ts'

/** What a daemon is made of, and whom it tells. */
export interface DaemonOptions {
  readonly settings: Settings
  /** Schedules that this instance fires; default: none. A command that is a daemon for a while fires none. */
  readonly schedules?: ReadonlyMap<string, ScheduleDefinition>
  readonly pool: pg.Pool
  readonly elasticsearch: Elasticsearch
  readonly log: Logger
  /** Reads the settings once more, when Elasticsearch does not know us (any more). */
  readonly readElasticsearch?: () => Promise<ElasticsearchSettings>
  /** Told of every batch that was more than an empty claim. */
  readonly onBatch?: (assignment: Assignment, result: BatchResult) => void
  /** Told when its state, or what it waits for, has changed; perhaps more often. */
  readonly onState?: (state: DaemonState) => void
  /**
   * Told whenever a look at the queue, or an attempt to join the database, has ended, whatever came of it. While it does not
   * drain, silence of a minute means that this daemon hangs.
   */
  readonly onLook?: (state: DaemonState) => void
  /** Counts what it does. */
  readonly observer?: DaemonObserver
}
