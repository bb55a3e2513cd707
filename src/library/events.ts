import { EventEmitter } from 'node:events'
import type { Lane } from '../queue/types.ts'
import type { Assignment } from '../sync/dispatcher.ts'
import type { BatchResult, DaemonState } from '../sync/types.ts'

/** What a batch came to. */
export interface BatchEvent {
  readonly document: string
  readonly lane: Lane
  /** settled: acknowledged; expanded: its marks were turned into marks of documents; given-back: its marks are there again. */
  readonly outcome: 'settled' | 'expanded' | 'given-back'
  /** Operations that Elasticsearch has answered well. */
  readonly done: number
  /** Operations that are to be retried, or dead. */
  readonly failed: number
  /** Keys marked again, uncharged. */
  readonly givenBack: number
  /** Why (some of) it was given back. */
  readonly reason: string | null
}

/** A line of the daemon's log; `error` is something to look at. What else it has depends on the message: `document`, `reason` … */
export interface LogEvent extends Readonly<Record<string, unknown>> {
  readonly level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'
  readonly message: string
  /** Milliseconds since 1970. */
  readonly time: number
}

export interface SluiceEvents {
  /** Every batch that was more than a look at an empty queue. */
  readonly batch: BatchEvent
  /** waiting: for a server, `reason` says why; running; draining: told to stop; stopped, with a reason where it could not go on. */
  readonly state: Pick<DaemonState, 'state' | 'reason'>
  readonly log: LogEvent
}

type EventName = keyof SluiceEvents
type Listener<Name extends EventName> = (event: SluiceEvents[Name]) => void

/**
 * Events of one instance. A listener is called apart from what tells of the event: one that throws is the application's
 * uncaught exception, and no batch's failure.
 */
export class Events {
  readonly #emitter = new EventEmitter()
  #state = ''

  /** Returns a function that takes the listener away. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    const later = (event: SluiceEvents[Name]) => queueMicrotask(() => listener(event))
    this.#emitter.on(name, later)
    return () => {
      this.#emitter.off(name, later)
    }
  }

  batch({ document, lane }: Assignment, result: BatchResult): void {
    if (result.outcome === 'empty') return
    const entries = result.outcome === 'settled' ? result.tally.entries : []
    const sum = (...outcomes: readonly string[]) =>
      entries
        .filter(({ outcome }) => outcomes.includes(outcome))
        .reduce((total, { count }) => total + count, 0)
    this.#emit('batch', {
      document,
      lane,
      outcome: result.outcome,
      done: sum('done', 'superseded'),
      failed: sum('retry', 'dead'),
      givenBack: result.outcome === 'settled' ? result.givenBack : 0,
      reason: result.outcome === 'expanded' ? result.verify : (result.obstacle?.reason ?? null),
    })
  }

  /** Said once, however often it is told. */
  state({ state, reason }: SluiceEvents['state']): void {
    const said = JSON.stringify([state, reason])
    if (said === this.#state) return
    this.#state = said
    this.#emit('state', { state, reason })
  }

  /** A line of JSON. */
  log(line: string): void {
    if (this.#emitter.listenerCount('log') > 0) this.#emit('log', JSON.parse(line) as LogEvent)
  }

  #emit<Name extends EventName>(name: Name, event: SluiceEvents[Name]): void {
    this.#emitter.emit(name, event)
  }
}
