import type pg from 'pg'
import type { BaseSettings, ElasticsearchSettings } from '../config/types.ts'
import { count } from '../counts.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import type { RunProgress } from '../runs/progress.ts'

/** What the demo works with: the user's own servers. */
export interface Scene {
  readonly pool: pg.Pool
  readonly elasticsearch: Elasticsearch
  /** Of whoever starts it; documents, schema, alerts and log are the demo's own. */
  readonly settings: BaseSettings & {
    readonly postgres: string
    readonly elasticsearch: ElasticsearchSettings
  }
  /** Ends the demo: what it has made is removed all the same. */
  readonly signal: AbortSignal
}

/** Before whom it is played. Nothing of it is needed by a program, which gets the report. */
export interface Audience {
  /** A heading. */
  act(title: string): void
  /** A sentence. */
  say(text: string): void
  /** A statement or a command line, as one would type it. */
  show(text: string): void
  /** Something to look at, though it goes on. */
  warn(text: string): void
  progress(label: string): Promise<{ update(progress: RunProgress): void; end(): void }>
}

/** `38 ms` */
export function ms(time: number): string {
  return `${count(Math.round(time))} ms`
}
