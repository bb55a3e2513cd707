import { backoffDelay } from './pacing.ts'

type ServerName = 'postgres' | 'elasticsearch'

interface Absence {
  readonly reason: string
  /** Milliseconds of the monotonic clock. */
  readonly since: number
  /** How often it has gone away again at once, 1 for the first time. */
  readonly attempt: number
}

/** A server that comes back and serves nothing is looked at this often, at most: the heartbeat has to go on. */
const LONGEST_DELAY_MS = 5_000

/** One that goes away again within this time, and before a batch was settled, did not come back at all. */
const DOUBTFUL_MS = 10_000

interface AbsencesOptions {
  /** Monotonic clock, milliseconds. */
  readonly now: () => number
  readonly random: () => number
}

/**
 * Servers that are away, why and since when. One that answers a probe, and then not the work (a full disk; a proxy that
 * lets nothing but probes through), was away all along: its next probe waits, each time longer.
 */
export class Absences {
  readonly #options: AbsencesOptions
  readonly #away = new Map<ServerName, Absence>()
  readonly #doubtful = new Map<ServerName, Absence & { readonly backAt: number }>()

  constructor(options: AbsencesOptions) {
    this.#options = options
  }

  has(server: ServerName): boolean {
    return this.#away.has(server)
  }

  get none(): boolean {
    return this.#away.size === 0
  }

  /** What is waited for, first the server that has been away for longest; null when there is nothing. */
  get current(): { readonly reason: string; readonly forMs: number } | null {
    const [first] = [...this.#away.values()].sort((a, b) => a.since - b.since)
    return first === undefined ? null : { reason: first.reason, forMs: this.#options.now() - first.since }
  }

  /** It is away; or it still is, and the reason has changed. Returns how long to wait before the next probe, milliseconds. */
  gone(server: ServerName, reason: string): number {
    const now = this.#options.now()
    const known = this.#away.get(server)
    const doubtful = this.#doubtful.get(server)
    const again = doubtful !== undefined && now - doubtful.backAt < DOUBTFUL_MS ? doubtful : undefined
    this.#doubtful.delete(server)
    const { since = now, attempt = 0 } = known ?? again ?? {}
    this.#away.set(server, { reason, since, attempt: known === undefined ? attempt + 1 : attempt })
    if (again === undefined) return 0
    return Math.min(LONGEST_DELAY_MS, backoffDelay(attempt, this.#options.random()))
  }

  /** It answers; whether it serves is not known yet. */
  back(server: ServerName): void {
    const absence = this.#away.get(server)
    if (absence === undefined) return
    this.#away.delete(server)
    this.#doubtful.set(server, { ...absence, backAt: this.#options.now() })
  }

  /** A batch was settled: both servers serve us. */
  served(): void {
    this.#doubtful.clear()
  }
}
