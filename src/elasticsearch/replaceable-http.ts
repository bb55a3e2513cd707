import type { ElasticsearchSettings } from '../config/types.ts'
import { type Http, openHttp } from './http.ts'

export interface ReplaceableHttp extends Http {
  /**
   * Shows other credentials from now on; requests under way end with those they began with. False where they are the
   * same, or meant for another address: they are not shown to this one, and another cluster is not swapped in under a
   * running daemon. False, too, where there are none: whoever writes a file empties it first, and a server that lets in
   * whoever shows nothing would never ask for a credential again (401).
   */
  useCredentials(stated: ElasticsearchSettings): boolean
}

/** A connection whose credentials can be replaced while it is in use. Throws as `openHttp` does. */
export function openReplaceableHttp(
  settings: ElasticsearchSettings,
  options: { readonly requestTimeoutMs: number },
): ReplaceableHttp {
  let current = settings
  let http = openHttp(current, options)
  let former: Http | undefined
  return {
    nodes: http.nodes,
    send: (request) => http.send(request),
    useCredentials: (stated) => {
      if (stated.url !== current.url || hasNone(stated) || sameCredentials(stated, current)) return false
      const { url, caFile } = current
      const { apiKey, username, password } = stated
      current = {
        url,
        ...(caFile === undefined ? {} : { caFile }),
        ...(apiKey === undefined ? {} : { apiKey }),
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
      }
      former = http
      http = openHttp(current, options)
      former.close().catch(() => undefined)
      return true
    },
    abort: () => {
      former?.abort()
      http.abort()
    },
    close: () => http.close(),
  }
}

function hasNone({ apiKey, username }: ElasticsearchSettings): boolean {
  return apiKey === undefined && username === undefined
}

function sameCredentials(one: ElasticsearchSettings, other: ElasticsearchSettings): boolean {
  return one.apiKey === other.apiKey && one.username === other.username && one.password === other.password
}
