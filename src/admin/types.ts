import type pg from 'pg'
import type { Logger } from 'pino'
import type { Configured } from '../answers/read-status.ts'
import type { AdminSettings } from '../config/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import type { DaemonState } from '../sync/types.ts'
import type { Ending } from './ending.ts'

/** What HTTP for operators is made of, and what it may show. */

/** Figures in a format that something scrapes. */
export interface MetricsSource {
  /** For the answer's header. */
  readonly contentType: string
  render(): Promise<string>
}

/** What the pages of one instance work with. */
export interface Admin {
  readonly settings: AdminSettings
  /** A pool of its own: a slow page takes no connection from a batch. */
  readonly pool: pg.Pool
  /** URL of Postgres, for messages; never shown with its password. */
  readonly postgres: string
  /** Name of our schema. */
  readonly schema: string
  readonly instance: string
  readonly configured: Configured
  readonly elasticsearch: Elasticsearch
  /** How the daemon beside it is doing. */
  readonly state: () => DaemonState
  readonly log: Logger
  /** null: this instance keeps none. */
  readonly metrics: MetricsSource | null
  /** To which changes under way are known. */
  readonly ending: Ending
}
