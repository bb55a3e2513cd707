import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Logger, pino } from 'pino'
import { expect } from 'vitest'
import { httpErrorJson } from '../../src/admin/json.ts'
import { type AdminServer, startAdmin } from '../../src/admin/server.ts'
import type { MetricsSource } from '../../src/admin/types.ts'
import type { Configured } from '../../src/answers/read-status.ts'
import type { AdminSettings } from '../../src/config/types.ts'
import type { Instance } from '../../src/runs/instance.ts'
import type { DaemonState } from '../../src/sync/types.ts'
import { eventually } from '../support/context.ts'
import { type Contract, contractOf } from '../support/openapi-contract.ts'
import { type InstancesWorld, instancesWorld } from './instances-world.ts'

/** A daemon that works, and HTTP for operators beside it on a free port. */
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
  await eventually(async () => (await ask(admin.url, '/ready')).status === 200)
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

export const errorOf = (answer: Answer) => httpErrorJson.parse(answer.body)

/** One server after fifty rows, whose every answer is held against its OpenAPI document. */
export interface HeldWorld extends AdminWorld {
  readonly document: Record<string, unknown>
  readonly contract: Contract
  get(path: string): Promise<Answer>
  post(path: string, body?: object): Promise<Answer>
  /** What a page answers with. */
  page<T = Record<string, unknown>>(path: string): Promise<T>
  /** Operations of the document that were not answered so far, or never refused. Pages of runs and failures are read where those are made. */
  unheld(of: 'pages' | 'changes'): readonly string[]
  /** All that was answered and logged so far. */
  told(): readonly string[]
  /** What of it holds the token, a password or a stack. */
  leaks(): readonly string[]
}

export async function heldWorld(): Promise<HeldWorld> {
  const world = await adminWorld()
  const { url } = world.admin
  const document = (await ask(url, '/api/openapi.json')).body as Record<string, unknown>
  const contract = contractOf(document)
  const answers: Answer[] = []
  await world.sql("INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 50) n")
  await world.settled()
  const get = async (path: string) => {
    const answer = await ask(url, path)
    contract.hold('GET', path, answer)
    answers.push(answer)
    return answer
  }
  const told = () => [...answers.map(({ text, headers }) => text + JSON.stringify(headers)), ...world.lines]
  return {
    ...world,
    document,
    contract,
    get,
    post: async (path, body = {}) => {
      const answer = await change(url, path, body)
      contract.hold('POST', path, answer)
      answers.push(answer)
      return answer
    },
    page: async <T>(path: string) => {
      const answer = await get(path)
      expect(answer.status, answer.text).toBe(200)
      return answer.body as T
    },
    unheld: (of) => {
      const paths = Object.entries(document.paths as Record<string, Record<string, object>>)
      const missing = paths.flatMap(([path, methods]) => {
        const held = (method: string, statuses: RegExp) =>
          [...contract.held].some((one) => one.startsWith(`${method} ${path} `) && statuses.test(one))
        return [
          ...(methods.get === undefined || held('GET', / 200$/) ? [] : [`GET ${path}`]),
          ...(methods.post === undefined || held('POST', / 20[02]$/) ? [] : [`POST ${path}`]),
          ...(methods.post === undefined || held('POST', / 4\d\d$/) ? [] : [`POST ${path}, refused`]),
        ]
      })
      const ofChanges = /^POST |^GET \/api\/(runs|failures)\b/
      return missing.filter((operation) => ofChanges.test(operation) === (of === 'changes'))
    },
    told,
    leaks: () => {
      const { password } = new URL(world.database.url)
      const secrets = [TOKEN, `:${password}@`, 'node_modules', '.ts:']
      return told().filter((one) => secrets.some((secret) => one.includes(secret)))
    },
  }
}
