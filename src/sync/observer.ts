import type { BulkAnswer } from '../elasticsearch/types.ts'
import type { Assignment } from './dispatcher.ts'
import type { BulkSender } from './send.ts'
import type { BatchResult, DaemonState } from './types.ts'

/**
 * Whoever counts what a daemon does (src/metrics): told in the middle of the work, so it must be quick and must not throw.
 * The daemon knows nothing of what is made of it.
 */
export interface DaemonObserver {
  /** Once, before anything else: `vitals` says how the daemon stands whenever it is asked. */
  readonly begins: (vitals: () => Vitals) => void
  /** Every batch that was more than an empty claim. */
  readonly batch: (assignment: Assignment, result: BatchResult) => void
  /** Every request to `_bulk`, whatever came of it. */
  readonly bulk: (request: BulkRequest) => void
}

export interface BulkRequest {
  /** Of its body. */
  readonly bytes: number
  /** Until the answer, or until it was given up; milliseconds. */
  readonly elapsedMs: number
  readonly answer: BulkAnswer
}

/** How a daemon stands at this moment. */
export interface Vitals {
  readonly state: DaemonState['state']
  readonly inFlight: {
    readonly interactive: number
    /** Of the bulk lane, and trials of blocked indices. */
    readonly bulk: number
    /** Most that may be in flight at present, but for those of single edits. */
    readonly limit: number
  }
  /** What is not sent, or not worked on; `index`: to this one only. */
  readonly pauses: readonly {
    readonly document: string
    readonly index: string | null
    readonly type: string
  }[]
  /** Versions drawn since it began. */
  readonly draws: number
  readonly connections: Connections
}

/** A pool's connections to Postgres; `waiting`: who waits for one. */
interface Connections {
  readonly open: number
  readonly idle: number
  readonly waiting: number
  readonly most: number
}

/** The same connection to Elasticsearch, with its bulk requests told to the observer. */
export function observed<Sender extends BulkSender>(
  sender: Sender,
  observer: Pick<DaemonObserver, 'bulk'> | undefined,
): Sender {
  if (observer === undefined) return sender
  return {
    ...sender,
    bulk: async (body, operations) => {
      const begun = performance.now()
      const answer = await sender.bulk(body, operations)
      observer.bulk({ bytes: body.length, elapsedMs: performance.now() - begun, answer })
      return answer
    },
  }
}
