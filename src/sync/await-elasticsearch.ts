import pRetry from 'p-retry'
import type { Logger } from 'pino'
import type { Elasticsearch } from '../elasticsearch/client.ts'

interface Probing {
  readonly elasticsearch: Pick<Elasticsearch, 'ping'>
  readonly log: Logger
  /** Why it is being waited for. */
  readonly reason: string
  /** Told when the reason changes. */
  readonly waitingFor: (reason: string) => void
  readonly signal: AbortSignal
}

/**
 * Probes until Elasticsearch answers well again, with jittered backoff from 250 ms to 10 s (invariant 10).
 * False when the signal was aborted meanwhile.
 */
export async function awaitElasticsearch({
  elasticsearch,
  log,
  waitingFor,
  signal,
  ...first
}: Probing): Promise<boolean> {
  let { reason } = first
  const probe = async () => {
    const answer = await elasticsearch.ping()
    if (answer.outcome === 'answered') return
    if (answer.reason !== reason) {
      reason = answer.reason
      waitingFor(reason)
      log.warn({ server: 'elasticsearch', reason }, 'waiting')
    }
    throw new Error(reason)
  }
  try {
    await pRetry(probe, {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: 250,
      maxTimeout: 10_000,
      randomize: true,
      signal,
    })
    log.info({ server: 'elasticsearch' }, 'answers again')
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}
