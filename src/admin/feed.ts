import { Readable } from 'node:stream'
import type { Logger } from 'pino'
import { describeError } from '../errors.ts'
import { HttpError } from './errors.ts'
import { type Snapshot, snapshotReader } from './snapshot.ts'
import type { Admin } from './types.ts'

/** From one snapshot to the next. */
const EVERY_MS = 2_000

/** Reading takes one part in so many of the time at most: what takes half a second, for Postgres is busy, is not asked for every two. */
const REST = 10

/** But whoever watches an outage sees its end. */
const LONGEST_REST_MS = 10_000

/** Viewers at a time: more are a mistake, or a script that forgets to close. */
const MOST_VIEWERS = 20

/** Whoever has not taken a snapshot for so long is gone, and its network has not said so. */
const LATEST_MS = 60_000

interface Viewer {
  readonly stream: Readable
  /** When it was last ready for more. */
  keptUpAt: number
}

interface FeedOptions {
  readonly read: () => Promise<Snapshot>
  readonly log: Pick<Logger, 'error'>
  readonly everyMs?: number
}

/**
 * Snapshots as server-sent events, for as many as watch: each is read once for all of them, and none while nobody does. A
 * viewer that is slow misses some, and never has more than one waiting for it.
 */
export class Feed {
  readonly #options: Required<FeedOptions>
  readonly #viewers = new Set<Viewer>()
  #latest: { readonly event: string; readonly at: number } | null = null
  #running = false
  #closed = false
  #wake = () => {}

  constructor(options: FeedOptions) {
    this.#options = { everyMs: EVERY_MS, ...options }
  }

  get viewers(): number {
    return this.#viewers.size
  }

  /** A stream that begins with what is known already, if it is fresh. It ends with the server, or when it is destroyed. */
  watch(): Readable {
    if (this.#viewers.size >= MOST_VIEWERS) {
      throw new HttpError(429, 'too-many-requests', `${MOST_VIEWERS} pages are watching already`, {
        remedy: 'Close some of them.',
      })
    }
    const viewer: Viewer = { stream: new Readable({ read() {} }), keptUpAt: performance.now() }
    const { stream } = viewer
    if (this.#closed) {
      stream.push(null)
      return stream
    }
    this.#viewers.add(viewer)
    stream.once('close', () => this.#viewers.delete(viewer))
    const fresh = this.#latest !== null && performance.now() - this.#latest.at < this.#options.everyMs
    if (fresh && this.#latest !== null) stream.push(this.#latest.event)
    if (!this.#running) void this.#run()
    return stream
  }

  /** Ends every stream, and takes no further viewer. */
  close(): void {
    this.#closed = true
    this.#wake()
    for (const { stream } of this.#viewers) stream.push(null)
  }

  async #run(): Promise<void> {
    const { everyMs } = this.#options
    this.#running = true
    while (this.#viewers.size > 0 && !this.#closed) {
      const began = performance.now()
      await this.#tell()
      const took = performance.now() - began
      await this.#pause(Math.max(everyMs - took, Math.min(took * REST, LONGEST_REST_MS)))
    }
    this.#running = false
  }

  /** Ends early where the server does. */
  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const timer = setTimeout(resolve, ms)
    await promise
    clearTimeout(timer)
  }

  async #tell(): Promise<void> {
    try {
      const event = `data: ${JSON.stringify(await this.#options.read())}\n\n`
      this.#latest = { event, at: performance.now() }
    } catch (error) {
      this.#options.log.error({ reason: describeError(error) }, 'no snapshot for the dashboard')
      return
    }
    if (this.#closed) return
    for (const viewer of this.#viewers) send(viewer, this.#latest.event)
  }
}

function send(viewer: Viewer, event: string): void {
  const { stream } = viewer
  const now = performance.now()
  if (stream.readableLength === 0) {
    viewer.keptUpAt = now
    stream.push(event)
  } else if (now - viewer.keptUpAt > LATEST_MS) {
    stream.destroy()
  }
}

const feeds = new WeakMap<Admin, Feed>()

/** The feed that all viewers of a server share. */
export function feedOf(admin: Admin): Feed {
  const known = feeds.get(admin)
  if (known !== undefined) return known
  const feed = new Feed({ read: snapshotReader(admin), log: admin.log })
  feeds.set(admin, feed)
  return feed
}
