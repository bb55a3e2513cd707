import type { Limits } from '../../src/config/types.ts'
import type { Random } from './random.ts'

/** What a seed stands for before anything happens. */
export interface Scenario {
  readonly daemons: number
  readonly limits: Limits
  /** Transactions of each round; after each the queue drains, and the indices are compared: later changes would hide what is lost. */
  readonly rounds: readonly number[]
  /** Pause between two of them: up to this, milliseconds. */
  readonly pauseMs: number
  readonly reindex: boolean
  /** Rows there can be: the fewer, the more happens to each. */
  readonly articles: number
  /** Steps that take long, of a hundred, and how long at most, milliseconds. */
  readonly slow: number
  readonly slowMs: number
  /** Of the application; see ApplicationOptions. */
  readonly lazy: number
  readonly bad: number
  readonly mute: number
  /** Probabilities, of a statement to Postgres and of a request to Elasticsearch, each half of it before it arrives. */
  readonly statementBreaks: number
  readonly requestFault: number
  readonly itemRefused: number
  /** Bytes of a request that are too many. */
  readonly mostBytes: number
  /** What happens to servers and processes every now and then. */
  readonly events: readonly EventKind[]
  readonly eventEveryMs: number
  readonly mostEvents: number
}

export const eventKinds = [
  'crash of Postgres',
  'cut of a session',
  'stall of a daemon',
  'kill of a daemon',
  'Elasticsearch away',
  'an index takes no writes',
] as const

export type EventKind = (typeof eventKinds)[number]

/**
 * Each seed has some kinds of fault and not others ("Swarm testing", A. Groce et al., 2012): with all of them at once, one
 * hides what another one would have shown.
 */
export function scenarioOf(random: Random): Scenario {
  const sometimes = (value: number, chance = 0.5) => (random.chance(chance) ? value : 0)
  const events = eventKinds.filter(() => random.chance(0.4))
  return {
    daemons: random.int(1, 2),
    limits: {
      batchSize: random.int(1, 5),
      batchBytes: random.pick([200, 500, 2_000]),
      concurrency: random.int(1, 2),
      pollingInterval: 50,
      // More than a run has requests that get no answer: a document that was sent alone is charged with those, for nothing
      // tells a network that loses every third request from one that chokes on this one (src/sync/confidence.ts).
      maxRetries: 20,
      requestTimeout: random.pick([1_000, 5_000, 30_000]),
      shutdownTimeout: 30_000,
      syncLogRetentionDays: 7,
    },
    rounds: Array.from({ length: random.int(2, 6) }, () => random.int(1, 4)),
    pauseMs: random.pick([10, 100, 1_000]),
    reindex: random.chance(0.4),
    articles: random.int(1, 5),
    slow: random.pick([1, 5, 20]),
    slowMs: random.pick([200, 2_000, 20_000]),
    lazy: sometimes(0.5),
    bad: sometimes(random.pick([0.1, 0.4])),
    mute: sometimes(0.08, 0.15),
    statementBreaks: sometimes(0.01),
    requestFault: sometimes(random.pick([0.05, 0.3])),
    itemRefused: sometimes(random.pick([0.05, 0.3]), 0.3),
    mostBytes: random.chance(0.2) ? 300 : Number.POSITIVE_INFINITY,
    events,
    eventEveryMs: random.pick([50, 500, 5_000]),
    mostEvents: random.int(1, 8),
  }
}
