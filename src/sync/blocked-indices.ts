import type { ParkedTarget } from '../queue/parked-targets.ts'
import type { BatchTarget } from '../queue/types.ts'
import { backoffDelay } from './pacing.ts'

/** Why an index takes no writes, in Elasticsearch's words. */
export interface Refusal {
  readonly type: string
  readonly reason: string
}

interface BlockedIndex extends Refusal {
  readonly document: string
  readonly index: string
}

interface Known extends BlockedIndex {
  /** First refusal; milliseconds of the monotonic clock. */
  readonly since: number
  /** Refusals in a row; 0 while only others know of it. */
  readonly attempt: number
  /** No trial before this; milliseconds of the monotonic clock. */
  readonly until: number
  readonly releasedAt: string | null
}

interface BlockedIndicesOptions {
  /** Monotonic clock, milliseconds. */
  readonly now: () => number
  readonly random: () => number
  /** How long a trial may take before another one is allowed. */
  readonly trialMs: number
  readonly onBlocked: (index: BlockedIndex) => void
  readonly onFree: (index: BlockedIndex) => void
}

/**
 * Indices that take no writes, as far as this daemon knows: one of several of a document, for a document of which none
 * does is paused as a whole (Dispatcher). Only a hint that saves requests. What is to be done stands in the queue: each
 * mark of lane 2 with a target waits for that index, whoever parked it, so a daemon without any memory does the same.
 *
 *     free ──refused──▶ blocked ──time has come──▶ trial ──took──▶ releasing ──no key parked any more──▶ free
 *                          ▲──────────refused────────┘
 *
 * While an index is blocked its keys are parked unsent. A trial is one parked mark, claimed and sent as any batch
 * (invariant 10: probe, jittered backoff); refused, it is rolled back. The daemon whose trial succeeds releases what is
 * parked and says so in `sync_index.released_at`, by which the others know that their refusals are out of date.
 */
export class BlockedIndices {
  readonly #options: BlockedIndicesOptions
  readonly #blocked = new Map<string, Known>()
  /** With the refusals before: an index that takes a trial and then refuses the rest is tried ever more rarely. */
  readonly #releasing = new Map<string, number>()

  constructor(options: BlockedIndicesOptions) {
    this.#options = options
  }

  get all(): readonly (BlockedIndex & { readonly since: number })[] {
    return [...this.#blocked.values()]
  }

  /** Whether what is for this index has to wait. */
  holds({ index, releasedAt }: Pick<BatchTarget, 'index' | 'releasedAt'>): boolean {
    const known = this.#blocked.get(index)
    if (known === undefined) return false
    if (known.releasedAt === releasedAt) return true
    this.took(index)
    return false
  }

  /** A batch was refused. Batches that were under way meanwhile do not make the wait longer. */
  refused(document: string, { index, releasedAt }: BatchTarget, { type, reason }: Refusal): void {
    const known = this.#blocked.get(index)
    const next = (this.#releasing.get(index) ?? 0) + 1
    const { since, attempt, until } = known ?? {
      since: this.#options.now(),
      attempt: next,
      until: this.#after(next),
    }
    this.#releasing.delete(index)
    const blocked = { document, index, type, reason, since, attempt, until, releasedAt }
    this.#blocked.set(index, blocked)
    if (known === undefined) this.#options.onBlocked(blocked)
  }

  /** An index that was held for blocked took an operation. */
  took(index: string): void {
    const known = this.#blocked.get(index)
    this.#blocked.delete(index)
    this.#releasing.set(index, known?.attempt ?? this.#releasing.get(index) ?? 0)
    if (known !== undefined) this.#options.onFree(known)
  }

  /** A trial has ended, with this refusal or without any answer to the question. */
  trialEnded(index: string, refusal: Refusal | null): void {
    const known = this.#blocked.get(index)
    if (known === undefined) return
    const attempt = known.attempt + (refusal === null ? 0 : 1)
    this.#blocked.set(index, { ...known, ...refusal, attempt, until: this.#after(Math.max(1, attempt)) })
    if (known.attempt === 0 && refusal !== null) this.#options.onBlocked({ ...known, ...refusal })
  }

  /** What to do about the keys that are parked for an index. 'try' is said once; then the trial has its time. */
  next({ document, index, releasedAt }: ParkedTarget): 'wait' | 'try' | 'release' {
    const { now, trialMs } = this.#options
    const known = this.holds({ index, releasedAt }) ? this.#blocked.get(index) : undefined
    if (known !== undefined && now() < known.until) return 'wait'
    if (known === undefined && this.#releasing.has(index)) return 'release'
    const heard = {
      document,
      index,
      type: 'parked',
      reason: 'it was found so before, and has not been tried since',
      since: now(),
      attempt: 0,
      releasedAt,
    }
    this.#blocked.set(index, { ...(known ?? heard), until: now() + trialMs })
    return 'try'
  }

  /** No key is parked for any other index: they are free, or the next batch will find out. */
  parked(indices: ReadonlySet<string>): void {
    for (const index of this.#releasing.keys()) if (!indices.has(index)) this.#releasing.delete(index)
    for (const [index, { until }] of this.#blocked) {
      if (!indices.has(index) && until <= this.#options.now()) this.#blocked.delete(index)
    }
  }

  #after(attempt: number): number {
    return this.#options.now() + backoffDelay(attempt, this.#options.random())
  }
}
