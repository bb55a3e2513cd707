import type { Lane } from '../queue/types.ts'
import { InFlight, isTooBusy } from './in-flight.ts'
import { backoffDelay } from './pacing.ts'
import type { Obstacle } from './types.ts'

/** What a worker is to claim from. */
export interface Assignment {
  readonly document: string
  readonly lane: Lane
  /** A trial of this blocked index, with a mark that is parked for it. */
  readonly target?: string
}

/** A document that waits after an obstacle of its own. */
interface Pause {
  readonly document: string
  readonly type: string
  readonly reason: string
  readonly attempt: number
  /** Its first obstacle, and the next trial; milliseconds of the monotonic clock. */
  readonly since: number
  readonly until: number
}

/**
 * While batches bring something through, a pause grows no longer than that of this attempt: half a second to a second.
 * An Elasticsearch that refuses three items in ten refuses some of every batch, and takes seven: with pauses of up to
 * half a minute the document fell behind without end.
 */
const MOVING_ATTEMPTS = 3

/** One assignment in this many goes to the bulk lane first: its guaranteed share beside endless single edits. */
const BULK_SHARE = 4

interface DispatcherOptions {
  /** Monotonic clock, milliseconds. */
  readonly now: () => number
  readonly random: () => number
  /** Most batches in flight, but for those of single edits. */
  readonly concurrency: number
  /** How long a trial of a paused document may take before another one is allowed. */
  readonly trialMs: number
}

/**
 * Decides what is claimed next: lane 0 before lane 1 (with a share for lane 1), the documents of a lane in
 * turn, paused documents not at all until their time has come, and then by one worker alone. While the gate
 * is closed (a server is away), nothing; and fewer at a time while Elasticsearch is too busy. Single edits have
 * places of their own besides.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #inFlight: InFlight
  /** Documents with pending marks, by lane, least recently served first. */
  readonly #ready: readonly [Set<string>, Set<string>] = [new Set(), new Set()]
  readonly #pauses = new Map<string, Pause>()
  /** Trials of blocked indices, by index. They go first: few, and each a single mark. */
  readonly #trials = new Map<string, Assignment>()
  #waiting: ((assignment: Assignment | null) => void)[] = []
  #open = false
  #stopped = false
  #served = 0

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#inFlight = new InFlight(options.concurrency, options.now)
  }

  get pauses(): readonly Pause[] {
    return [...this.#pauses.values()]
  }

  /** How many requests of bulk work may be at Elasticsearch at once. */
  get bulkRequests(): number {
    return this.#inFlight.bulkRequests
  }

  get inFlight(): InFlight['counts'] {
    return this.#inFlight.counts
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** The next assignment, as soon as there is one; null when stopping. */
  next(): Promise<Assignment | null> {
    if (this.#stopped) return Promise.resolve(null)
    const assignment = this.#take()
    if (assignment !== null) return Promise.resolve(assignment)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** What the poll found. Replaces what was known: a document that is gone or detached is not claimed. */
  found(pending: readonly Assignment[]): void {
    const known = new Set(pending.map(nameOf))
    for (const lane of [0, 1] as const) {
      for (const document of this.#ready[lane]) {
        if (!known.has(nameOf({ document, lane }))) this.#ready[lane].delete(document)
      }
    }
    for (const { document, lane } of pending) if (lane !== 2) this.#ready[lane].add(document)
    this.#wake()
  }

  /** An index is to be tried. A pause of its document does not matter: it may be for another index, or end with this one. */
  try(document: string, target: string): void {
    this.#trials.set(target, { document, lane: 2, target })
    this.#wake()
  }

  /** The batch of an assignment has ended, whatever came of it. */
  ended({ lane }: Assignment): void {
    this.#inFlight.ended(lane)
    this.#wake()
  }

  /** A claim of this assignment found nothing more to do. */
  exhausted({ document, lane }: Assignment): void {
    if (lane !== 2) this.#ready[lane].delete(document)
  }

  /** A batch of this document was settled: whatever stood in its way is gone. Returns the pause that ended. */
  recovered(document: string): Pause | undefined {
    this.#inFlight.answered()
    const pause = this.#pauses.get(document)
    this.#pauses.delete(document)
    return pause
  }

  /**
   * Its time has come, and there is nothing to try it with: others have done what was given back here. Until its next change
   * nothing else would end the pause. Returns it; undefined where it goes on.
   */
  rested(document: string): Pause | undefined {
    const pause = this.#pauses.get(document)
    const hasMarks = this.#ready.some((lane) => lane.has(document))
    if (pause === undefined || hasMarks || this.#options.now() < pause.until) return undefined
    this.#pauses.delete(document)
    return pause
  }

  /** A trial of a paused document ended without an answer to the question: another may begin at once. */
  tryAgain(document: string): void {
    const pause = this.#pauses.get(document)
    if (pause !== undefined) this.#pauses.set(document, { ...pause, until: this.#options.now() })
  }

  /** Elasticsearch did not take (all of) a batch: fewer are in flight from now on where it was too busy. */
  obstructed(obstacle: Obstacle): void {
    if (isTooBusy(obstacle)) this.#inFlight.refused()
  }

  /** The document waits, each time longer. `moving`: some of its batch was done all the same. */
  pause(document: string, obstacle: Obstacle, { moving = false } = {}): Pause {
    const now = this.#options.now()
    const known = this.#pauses.get(document)
    const next = (known?.attempt ?? 0) + 1
    const attempt = moving ? Math.min(next, MOVING_ATTEMPTS) : next
    const until = now + backoffDelay(attempt, this.#options.random())
    const { type, reason } = obstacle
    const pause = { document, type, reason, attempt, since: known?.since ?? now, until }
    this.#pauses.set(document, pause)
    return pause
  }

  open(): void {
    this.#open = true
    this.#wake()
  }

  close(): void {
    this.#open = false
  }

  /** No further assignment; waiting workers get null. */
  stop(): void {
    this.#stopped = true
    for (const resolve of this.#waiting) resolve(null)
    this.#waiting = []
  }

  #wake(): void {
    while (this.#waiting.length > 0) {
      const assignment = this.#take()
      if (assignment === null) return
      this.#waiting.shift()?.(assignment)
    }
  }

  #take(): Assignment | null {
    if (!this.#open || this.#stopped) return null
    for (const [target, trial] of this.#trials) {
      if (!this.#inFlight.isFree(trial.lane)) break
      this.#trials.delete(target)
      this.#inFlight.began(trial.lane)
      return trial
    }
    const bulkFirst = this.#served % BULK_SHARE === BULK_SHARE - 1
    for (const lane of bulkFirst ? ([1, 0] as const) : ([0, 1] as const)) {
      if (!this.#inFlight.isFree(lane)) continue
      for (const document of this.#ready[lane]) {
        if (!this.#mayTry(document)) continue
        // To the back of the row, still ready: another worker may claim what this one leaves.
        this.#ready[lane].delete(document)
        this.#ready[lane].add(document)
        this.#served += 1
        this.#inFlight.began(lane)
        return { document, lane }
      }
    }
    return null
  }

  #mayTry(document: string): boolean {
    const pause = this.#pauses.get(document)
    if (pause === undefined) return true
    const now = this.#options.now()
    if (now < pause.until) return false
    this.#pauses.set(document, { ...pause, until: now + this.#options.trialMs })
    return true
  }
}

const nameOf = ({ document, lane }: Assignment): string => `${lane} ${document}`
