import { isIP } from 'node:net'
import { isLoopback } from '../config/plaintext.ts'
import type { AdminSettings } from '../config/types.ts'

/**
 * Who may be meant by a request. Pure.
 *
 * A page that somebody visits can make a name of its own lead to 127.0.0.1 (DNS rebinding), and its scripts then count as of
 * the same origin as we are. They cannot choose what the browser writes into Host: the page's own name. So only names are
 * answered to that are known to be ours, and addresses: these belong to nobody else.
 */
export function isOurHost(header: string | undefined, { host, hosts }: AdminSettings): boolean {
  const name = hostName(header)
  if (name === null) return false
  return isIP(name) !== 0 || isLoopback(name) || name === host.toLowerCase() || hosts.includes(name)
}

/** `[::1]:9187` → `::1`, `Search:9187` → `search`; null for what is no host. */
function hostName(header: string | undefined): string | null {
  const [, bracketed, plain] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/i.exec(header ?? '') ?? []
  return (bracketed ?? plain)?.toLowerCase() ?? null
}

export interface Sender {
  readonly host: string | undefined
  readonly origin: string | undefined
  /** Sec-Fetch-Site */
  readonly site: string | undefined
}

/**
 * Whether a browser says that a change comes from another page than ours. Programs send neither header. `none` is what
 * somebody has typed.
 */
export function isCrossOrigin({ host, origin, site }: Sender): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  if (origin === undefined) return false
  return URL.parse(origin)?.host !== host?.toLowerCase()
}
