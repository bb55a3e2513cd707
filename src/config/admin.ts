import { hostList, isLoopback } from './plaintext.ts'
import type { Problem } from './problems.ts'
import type { AdminSettings } from './types.ts'

/** As flags, environment, configuration and defaults have it; each checked by itself. */
interface Stated {
  readonly host: string
  readonly port: number | 'off'
  readonly token: string | undefined
  readonly hosts: string | undefined
  readonly trustedProxies: string | undefined
}

interface Result {
  readonly settings: AdminSettings
  readonly problems: readonly Problem[]
}

/** Whoever reaches it reads everything: other machines only with a token. */
export function adminSettings({ host, port, token, hosts, trustedProxies }: Stated): Result {
  const settings: AdminSettings = {
    host,
    port: port === 'off' ? null : port,
    token: token ?? null,
    hosts: [...hostList(hosts)],
    trustedProxies: [...hostList(trustedProxies)],
  }
  if (port === 'off' || token !== undefined) return { settings, problems: [] }
  // Whoever a proxy of this machine lets in comes from loopback, too.
  const proxied = trustedProxies !== undefined
  if (isLoopback(host) && !proxied) return { settings, problems: [] }
  return {
    settings,
    problems: [
      {
        where: isLoopback(host) ? 'ADMIN_TRUSTED_PROXIES' : 'ADMIN_HOST',
        what: `${isLoopback(host) ? 'a proxy' : host} lets other machines in, and ADMIN_TOKEN is missing`,
        remedy:
          'Set ADMIN_TOKEN (openssl rand -hex 32), leave ADMIN_HOST at 127.0.0.1 without a proxy, or switch it off: ADMIN_PORT=off.',
      },
    ],
  }
}
