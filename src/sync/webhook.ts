import type { DuePost } from '../queue/post-alerts.ts'

/** What is posted: JSON. */
interface Posted extends Omit<DuePost, 'lease'> {
  /** One line for people; what Slack and Mattermost show. */
  readonly text: string
  /** Who posts it. */
  readonly instance: string
}

/**
 * Posts one piece of news. The URL may be a secret, so no error names more of it than its host. User and password in it
 * become a header, for fetch refuses such a URL; a redirect is none of ours to follow.
 */
export async function postToWebhook(
  webhook: string,
  { lease: _, ...news }: DuePost & { readonly instance: string },
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const url = new URL(webhook)
  const { username, password, host } = url
  const authorization = username === '' && password === '' ? {} : { authorization: basic(username, password) }
  url.username = ''
  url.password = ''
  const body: Posted = { ...news, text: alertLine(news) }
  let answer: Response
  try {
    answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    // An answer that is not read keeps its connection.
    await answer.arrayBuffer()
  } catch (error) {
    throw new Error(`${host} does not answer: ${causeOf(error)}`)
  }
  if (!answer.ok) throw new Error(`${host} answers ${answer.status}`)
}

/** `critical: no_worker of city (since 2026-01-01T00:00:00.000Z): …` */
export function alertLine({
  state,
  severity,
  name,
  document,
  since,
  reason,
}: Pick<DuePost, 'state' | 'severity' | 'name' | 'document' | 'since' | 'reason'>): string {
  const of = document === null ? name : `${name} of ${document}`
  return state === 'raised'
    ? `sluice: ${severity}: ${of} (since ${since}): ${reason}`
    : `sluice: cleared: ${of}`
}

function basic(username: string, password: string): string {
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return `Basic ${Buffer.from(text).toString('base64')}`
}

/** fetch says "fetch failed", and why in a cause. The code alone, for a message might quote the URL. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it failed'
  if (error.name === 'TimeoutError') return 'no answer in time'
  const { cause } = error
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : error.name
}
