import pRetry from 'p-retry'
import type { Logger } from 'pino'
import type { ElasticsearchSettings } from '../config/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { refusalRemedy } from '../elasticsearch/failures.ts'
import { describeError } from '../errors.ts'

interface Probing {
  readonly elasticsearch: Pick<Elasticsearch, 'ping' | 'useCredentials'>
  /** Reads the settings once more, for a credential that was replaced. */
  readonly readElasticsearch?: () => Promise<ElasticsearchSettings>
  readonly log: Logger
  /** Why it is being waited for. */
  readonly reason: string
  /** Told when the reason changes. */
  readonly waitingFor: (reason: string) => void
  readonly signal: AbortSignal
}

/**
 * Probes until Elasticsearch answers well again, with jittered backoff from 250 ms to 10 s (invariant 10). A probe that is
 * refused with 401 has the settings read again: where they hold another credential, that one is shown from then on.
 * False when the signal was aborted meanwhile.
 */
export async function awaitElasticsearch(probing: Probing): Promise<boolean> {
  const { elasticsearch, log, waitingFor, signal } = probing
  let { reason } = probing
  const probe = async () => {
    let answer = await elasticsearch.ping()
    if (isUnauthorized(answer) && (await useNewCredential(probing))) answer = await elasticsearch.ping()
    if (answer.outcome === 'answered') return
    const said = isUnauthorized(answer) ? `${answer.reason}: ${refusalRemedy(401)}` : answer.reason
    if (said !== reason) {
      reason = said
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

type Answer = Awaited<ReturnType<Elasticsearch['ping']>>

function isUnauthorized(answer: Answer): boolean {
  return answer.outcome === 'blocked' && answer.unauthorized === true
}

/** A `.env` that is just being written must not end the waiting: the next probe reads it again. */
async function useNewCredential({ elasticsearch, readElasticsearch, log }: Probing): Promise<boolean> {
  if (readElasticsearch === undefined) return false
  try {
    const replaced = elasticsearch.useCredentials(await readElasticsearch())
    if (replaced) log.info({ server: 'elasticsearch' }, 'a new credential is used')
    return replaced
  } catch (error) {
    log.warn({ reason: describeError(error) }, 'the settings cannot be read again')
    return false
  }
}
