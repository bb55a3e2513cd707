import { setTimeout as delay } from 'node:timers/promises'
import pRetry from 'p-retry'
import { type DuePost, notePosted, postponePost, takeDuePost } from '../queue/post-alerts.ts'
import { obstacleOf } from './obstacle.ts'
import type { AlertsContext } from './watch-alerts.ts'
import { postToWebhook } from './webhook.ts'

/** One attempt; three of them and what lies between fit into the minute for which a piece of news is taken. */
const TIMEOUT_MS = 5_000

/** A post under way at a shutdown has so long to be answered and noted; cut off, it would be posted twice. */
const GRACE_MS = 1_000

/**
 * Tells the webhook what was raised and what was cleared, each at least once, in that order; news that one daemon has taken
 * no other posts. It works beside everything else: nothing waits for it. A webhook that is down is told of once.
 */
export class AlertPoster {
  readonly #context: AlertsContext & { readonly webhook: string }
  #posting: Promise<void> | undefined
  #abort = new AbortController()
  #down = false

  constructor(context: AlertsContext & { readonly webhook: string }) {
    this.#context = context
  }

  /** There may be news: it is posted, unless that is under way. Returns at once. */
  poke(): void {
    this.#posting ??= this.#postAll(this.#abort.signal)
      .catch((error: unknown) => {
        // Postgres is away, which the daemon itself says; what was taken comes again in a minute.
        this.#context.log.debug({ reason: obstacleOf(error).reason }, 'cannot look for alerts to post')
      })
      .finally(() => {
        this.#posting = undefined
      })
  }

  /** Resolves when nothing is under way; `poke` begins anew. */
  async stop(): Promise<void> {
    const { signal } = this.#abort
    const abort = this.#abort
    const late = new AbortController()
    const timer = delay(GRACE_MS, undefined, { signal: late.signal }).then(
      () => abort.abort(),
      () => undefined,
    )
    await this.#posting
    late.abort()
    await timer
    if (signal.aborted) this.#abort = new AbortController()
  }

  async #postAll(signal: AbortSignal): Promise<void> {
    const { pool, schema } = this.#context
    while (!signal.aborted) {
      const due = await takeDuePost(pool, schema)
      if (due === null) return
      if (!(await this.#post(due, signal))) {
        await postponePost(pool, schema, due)
        return
      }
      await notePosted(pool, schema, due)
    }
  }

  async #post(due: DuePost, signal: AbortSignal): Promise<boolean> {
    const { webhook, instance, log } = this.#context
    try {
      await pRetry(() => postToWebhook(webhook, { ...due, instance }, { timeoutMs: TIMEOUT_MS, signal }), {
        retries: 2,
        minTimeout: 200,
        maxTimeout: 1_000,
        randomize: true,
        signal,
      })
      if (this.#down) log.info('the webhook for alerts answers again')
      this.#down = false
      return true
    } catch (error) {
      if (signal.aborted) return false
      const reason = error instanceof Error ? error.message : String(error)
      if (!this.#down)
        log.error({ reason }, 'the webhook for alerts does not take them: they are kept, and posted later')
      this.#down = true
      return false
    }
  }
}
