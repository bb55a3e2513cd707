import type { Problem } from './problems.ts'

/**
 * Which servers may be spoken to without encryption: those on this machine, and those that somebody named. Pure.
 * Passwords and documents go over these connections.
 */

/** What somebody named: `PLAINTEXT_HOSTS=db,search`; lower case. */
export function hostList(text: string | undefined): ReadonlySet<string> {
  const names = (text ?? '').split(',').map((name) => name.trim().toLowerCase())
  return new Set(names.filter((name) => name !== ''))
}

/** Off this machine, plain http is refused. @param urls checked: one, or several separated by commas */
export function plainElasticsearch(urls: string, allowed: ReadonlySet<string>): readonly Problem[] {
  return plainHttp(
    'ELASTICSEARCH_URL',
    urls,
    allowed,
    ' (ELASTICSEARCH_CA_FILE names an authority of your own)',
  )
}

/** The same of what is told of alerts: its URL is often a secret itself. */
export function plainWebhook(url: string, allowed: ReadonlySet<string>): readonly Problem[] {
  return plainHttp('ALERT_WEBHOOK', url, allowed, '')
}

function plainHttp(
  where: string,
  urls: string,
  allowed: ReadonlySet<string>,
  hint: string,
): readonly Problem[] {
  return urls.split(',').flatMap((text) => {
    const { protocol, hostname } = new URL(text.trim())
    if (protocol !== 'http:' || isHere(hostname) || allowed.has(hostname)) return []
    return {
      where,
      what: `http:// speaks to ${hostname} without encryption`,
      remedy: `Write https://${hint}, or allow it by name: ${allowing(hostname, allowed)}`,
    }
  })
}

interface Judged {
  readonly url: string
  readonly problems: readonly Problem[]
}

/**
 * Off this machine, TLS with a verified certificate is what a URL without `sslmode` means; one that says "disable" is
 * refused. (To pg, no `sslmode` is no TLS.) Other modes stay as they are: `no-verify` is somebody's word.
 *
 * @param url checked
 * @param environment PGHOST and PGSSLMODE, which pg takes where the URL says nothing
 */
export function judgePostgres(
  url: string,
  allowed: ReadonlySet<string>,
  environment: Readonly<Record<string, string | undefined>>,
): Judged {
  const { hostname, searchParams } = new URL(url)
  const host = (last(searchParams, 'host') ?? (hostname || environment.PGHOST) ?? '').toLowerCase()
  if (isHere(host) || allowed.has(host)) return { url, problems: [] }
  const mode = modeOf(searchParams) ?? environment.PGSSLMODE
  if (mode === undefined || mode === '') return { url: withMode(url), problems: [] }
  if (mode !== 'disable' && mode !== 'allow') return { url, problems: [] }
  return {
    url,
    problems: [
      {
        where: 'DATABASE_URL',
        what: `sslmode=${mode} speaks to ${host} without encryption`,
        remedy: `Leave it out: TLS with a verified certificate is the default (sslrootcert=… names an authority of your own). Or allow it by name: ${allowing(host, allowed)}`,
      },
    ],
  }
}

function modeOf(parameters: URLSearchParams): string | undefined {
  const ssl = last(parameters, 'ssl')
  if (ssl === '0' || ssl === 'false') return 'disable'
  return last(parameters, 'sslmode') ?? (ssl === undefined ? undefined : 'verify-full')
}

/** Of a parameter that is there twice, pg takes the last. */
function last(parameters: URLSearchParams, name: string): string | undefined {
  return parameters.getAll(name).at(-1)
}

function withMode(url: string): string {
  return `${url}${new URL(url).search === '' ? '?' : '&'}sslmode=verify-full`
}

/** Loopback, or a socket in the file system. */
function isHere(host: string): boolean {
  return host === '' || host.startsWith('/') || isLoopback(host)
}

/** A name or an address that leads to this machine and cannot be reached from another. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host)
}

function allowing(host: string, allowed: ReadonlySet<string>): string {
  return `PLAINTEXT_HOSTS=${[...allowed, host].join(',')}`
}
