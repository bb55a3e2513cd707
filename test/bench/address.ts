import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

/** Of an Elasticsearch that may be somebody's: https, and a name with its password in the URL. */
export interface Address {
  /** Without the name and the password: `fetch` refuses a URL that has them. */
  readonly origin: string
  /** `authorization`, where there is a name. */
  readonly headers: Readonly<Record<string, string>>
}

export function addressOf(url: string): Address {
  const { origin, username, password } = new URL(url)
  if (username === '') return { origin, headers: {} }
  const name = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { origin, headers: { authorization: `Basic ${Buffer.from(name).toString('base64')}` } }
}

/** The other URL with the name and the password of this one. */
export function asUserOf(url: string, other: string): string {
  const { username, password } = new URL(url)
  return Object.assign(new URL(other), { username, password }).href
}

/** What speaks the protocol of the URL. */
export function protocolOf(url: string): {
  readonly request: typeof httpRequest
  readonly Agent: typeof HttpAgent
} {
  return new URL(url).protocol === 'https:'
    ? { request: httpsRequest, Agent: HttpsAgent }
    : { request: httpRequest, Agent: HttpAgent }
}

/** `fetch` of a path there. */
export function fetchFrom(url: string, path: string, init: RequestInit & { readonly type?: string } = {}) {
  const { origin, headers } = addressOf(url)
  const { type = 'application/json', ...rest } = init
  return fetch(new URL(path, origin), { ...rest, headers: { 'content-type': type, ...headers } })
}
