/** Where the cluster is and how we show who we are: settings → what a client needs. */
import { readFileSync } from 'node:fs'
import type { ElasticsearchSettings } from '../config/types.ts'
import { ConfigError } from '../errors.ts'

/** One URL, or several nodes of one cluster separated by commas. Throws ConfigError. */
export function nodeUrls(text: string): URL[] {
  const urls = new Map<string, URL>()
  for (const part of text.split(',')) {
    const url = URL.parse(part.trim())
    if (url === null || !/^https?:$/.test(url.protocol)) {
      // Not repeated: it may hold a password.
      throw new ConfigError('not an http:// or https:// URL (several nodes are separated by commas)', {
        where: 'ELASTICSEARCH_URL',
        remedy: 'write it like http://localhost:9200',
      })
    }
    urls.set(`${url.origin}${url.pathname}`, url)
  }
  return [...urls.values()]
}

/** A node's URL without credentials. */
export function bareUrl(url: URL): string {
  return `${url.origin}${url.pathname}`
}

/** host:port, the port also where the URL leaves it to its scheme. */
export function hostPort(url: URL): string {
  return `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`
}

type Auth = { apiKey: string | { id: string; api_key: string } } | { username: string; password: string }

/** The variables beat what a URL contains; an API key beats a password. */
export function authOf(
  { apiKey, username, password }: ElasticsearchSettings,
  urls: readonly URL[],
): Auth | undefined {
  if (apiKey !== undefined) {
    // `id:key`, as some consoles show it; the encoded form is base64 and has no colon.
    const [id, key] = apiKey.split(':')
    return { apiKey: id !== undefined && key !== undefined ? { id, api_key: key } : apiKey }
  }
  const inUrl = urls.find((url) => url.username !== '')
  const user = username ?? (inUrl && decodeURIComponent(inUrl.username))
  if (user === undefined) return undefined
  return { username: user, password: password ?? (inUrl ? decodeURIComponent(inUrl.password) : '') }
}

/** The authority's certificate. Throws ConfigError for a file that cannot be read or holds none. */
export function readCa(file: string): string {
  const where = 'ELASTICSEARCH_CA_FILE'
  let pem: string
  try {
    pem = readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    throw new ConfigError(`cannot read ${file} (${code})`, {
      where,
      remedy: 'name a PEM file that this process may read',
    })
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new ConfigError(`${file} holds no certificate`, {
      where,
      remedy: 'name a PEM file (-----BEGIN CERTIFICATE-----)',
    })
  }
  return pem
}
