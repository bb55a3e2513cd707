import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Logger, pino } from 'pino'
import { type AdminServer, startAdmin } from '../../src/admin/server.ts'
import type { MetricsSource } from '../../src/admin/types.ts'
import type { Configured } from '../../src/answers/read-status.ts'
import type { AdminSettings } from '../../src/config/types.ts'
import type { Instance } from '../../src/runs/instance.ts'
import type { DaemonState } from '../../src/sync/types.ts'
import { type InstancesWorld, instancesWorld } from './instances-world.ts'

/** A daemon, and HTTP for operators beside it on a free port. */
export interface AdminWorld extends InstancesWorld {
  readonly instance: Instance
  readonly admin: AdminServer
  /** Lines of its log, as they were written. */
  readonly lines: string[]
  /** Another server on the same daemon and log. */
  serve(options?: ServeOptions): Promise<AdminServer | null>
}

export interface ServeOptions {
  readonly settings?: Partial<AdminSettings>
  readonly state?: () => DaemonState
  readonly metrics?: MetricsSource
  readonly elasticsearch?: Instance['elasticsearch']
  /** Another way to the world's database. */
  readonly postgres?: string
  readonly log?: Logger
  /** What its configuration has; default: the world's document. */
  readonly configured?: Configured
}

export const TOKEN = 'c4naryTOKENc4naryTOKEN'

export async function adminWorld(): Promise<AdminWorld> {
  const world = await instancesWorld()
  const instance = world.start('first')
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line) => lines.push(line) })
  const servers: AdminServer[] = []
  const serve: AdminWorld['serve'] = async ({ settings = {}, ...options } = {}) => {
    const server = await startAdmin({
      settings: {
        host: '127.0.0.1',
        port: 0,
        token: TOKEN,
        hosts: ['search.internal'],
        trustedProxies: [],
        ...settings,
      },
      postgres: world.database.url,
      schema: world.schema,
      instance: 'first',
      configured: { documents: new Map([['item', world.definition]]), schedules: new Map() },
      elasticsearch: world.elasticsearch,
      state: () => instance.daemon.state,
      log,
      ...options,
    })
    if (server !== null) servers.push(server)
    return server
  }
  const admin = await serve()
  if (admin === null) throw new Error('no free port')
  return {
    ...world,
    instance,
    admin,
    lines,
    serve,
    drop: async () => {
      for (const server of servers) await server.close()
      await world.drop()
    },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly body: unknown
}

export interface Asking {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Sends what it is told to, Host among it; fetch would not. */
export async function ask(url: string, path: string, { method = 'GET', headers = {}, body }: Asking = {}) {
  const request = httpRequest(`${url}${path}`, { method, headers, agent: false })
  request.end(body)
  const [response] = await once(request, 'response')
  const said = await text(response)
  const answer: Answer = {
    status: response.statusCode,
    headers: response.headers,
    text: said,
    body: parsed(said),
  }
  return answer
}

function parsed(said: string): unknown {
  try {
    return JSON.parse(said)
  } catch {
    return null
  }
}

/** A change, as somebody who has the token asks for it. */
export function change(url: string, path: string, body: object = {}, headers: Record<string, string> = {}) {
  return ask(url, path, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}
