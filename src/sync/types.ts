import type { Tally } from './tally.ts'

/** What passes between the steps of a batch. */

/** Current state of a key whose id has a row. */
export interface LoadedDocument {
  /** The row's key. Not the one asked for where its tenant or routing is another now. */
  readonly key: string
  /** JSON in UTF-8 as Postgres printed it, or as `transform` made it; null: `transform` left it out. */
  readonly json: Buffer | null
  /** Why Elasticsearch cannot hold it (a date out of range, for instance), or null. */
  readonly problem: string | null
}

/** A key that cannot become an operation, whatever is tried. */
export interface KeyFailure {
  readonly key: string
  readonly id: string
  readonly type: string
  readonly reason: string
}

/**
 * Why a batch was given back. `elasticsearch` and `postgres`: the server does not answer or refuses
 * everything, all batches wait; `document`: this document alone waits; `index`: the trial of a blocked index failed.
 * Nobody is charged (invariant 10).
 */
export interface Obstacle {
  readonly scope: 'elasticsearch' | 'postgres' | 'document' | 'index'
  readonly type: string
  readonly reason: string
  /** A document of the batch may be the cause, and not the server. */
  readonly suspicious?: true
  /** Elasticsearch answered others just now, and each further look brings nearer who the cause is: it need not wait long. */
  readonly moving?: true
}

export type BatchResult =
  | { readonly outcome: 'empty' }
  | {
      readonly outcome: 'settled'
      /** What became of its operations. */
      readonly tally: Tally
      /** Keys marked again, uncharged. */
      readonly givenBack: number
      /** Why some got no verdict (Elasticsearch is too busy, or silent about one of them); the document has to wait. */
      readonly obstacle: Obstacle | null
      /** The alarm, when this batch was the one that tripped the mass-delete brake. */
      readonly tripped: string | null
      /** A verify was requested, for Elasticsearch holds a version that this database has never drawn: why. */
      readonly foreign: string | null
      /** True when the claim was full: there is probably more. */
      readonly full: boolean
    }
  | {
      /** Marks of related tables that lead to very many documents were turned into marks in the bulk lane; the others were given back. */
      readonly outcome: 'expanded'
      /** How many; those that another worker took meanwhile are not among them. */
      readonly turned: number
      /** Why they were turned into a verify instead, or null. */
      readonly verify: string | null
    }
  | { readonly outcome: 'given-back'; readonly obstacle: Obstacle }

/** What a daemon is doing, and for how long, in milliseconds; `reason` says what it waits for. */
export interface DaemonState {
  readonly state: 'running' | 'waiting' | 'draining' | 'stopped'
  readonly reason: string | null
  readonly forMs: number
}
