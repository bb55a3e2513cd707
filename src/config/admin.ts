import { hostList, isLoopback } from './plaintext.ts'
import type { Problem } from './problems.ts'
import type { AdminSettings } from './types.ts'

/** As flags, environment, configuration and defaults have it; each checked by itself. */
interface Stated {
  readonly host: string
  readonly port: number | 'off'
  readonly token: string | undefined
  readonly hosts: string | undefined
}

interface Result {
  readonly settings: AdminSettings
  readonly problems: readonly Problem[]
}

/** Whoever reaches it reads everything: other machines only with a token. */
export function adminSettings({ host, port, token, hosts }: Stated): Result {
  const settings: AdminSettings = {
    host,
    port: port === 'off' ? null : port,
    token: token ?? null,
    hosts: [...hostList(hosts)],
  }
  if (port === 'off' || isLoopback(host) || token !== undefined) return { settings, problems: [] }
  return {
    settings,
    problems: [
      {
        where: 'ADMIN_HOST',
        what: `${host} lets other machines in, and ADMIN_TOKEN is missing`,
        remedy:
          'Set ADMIN_TOKEN (openssl rand -hex 32), leave ADMIN_HOST at 127.0.0.1, or switch it off: ADMIN_PORT=off.',
      },
    ],
  }
}
