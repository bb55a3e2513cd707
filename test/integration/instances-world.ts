import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import type { AlertSettings, DocumentDefinition, Limits, Settings } from '../../src/config/types.ts'
import { Instance } from '../../src/runs/instance.ts'
import type { DaemonObserver } from '../../src/sync/observer.ts'
import { compare } from '../support/compare.ts'
import { eventually } from '../support/context.ts'
import { type InstallWorld, installWorld } from './install-world.ts'

/** An installed document and as many daemons as one likes, each with an Elasticsearch address and limits of its own. */
export interface InstancesWorld extends InstallWorld {
  readonly definition: DocumentDefinition
  /** Alias of the index. */
  readonly index: string
  start(name: string, options?: StartOptions): Instance
  stop(instance: Instance): Promise<void>
  /** Waits until no mark is left, and no run under way; then compares the index with the table, content by content. */
  settled(truth?: string): Promise<void>
  sql(text: string, values?: unknown[]): Promise<void>
}

export interface StartOptions {
  readonly limits?: Partial<Limits>
  readonly postgres?: string
  readonly elasticsearch?: string
  readonly definition?: DocumentDefinition
  /** Documents that it has besides. */
  readonly more?: Readonly<Record<string, DocumentDefinition>>
  readonly observer?: DaemonObserver
  readonly alerts?: AlertSettings
}

const LIMITS: Limits = {
  batchSize: 1000,
  batchBytes: 1024 * 1024,
  concurrency: 1,
  pollingInterval: 20,
  maxRetries: 5,
  requestTimeout: 10_000,
  shutdownTimeout: 10_000,
  syncLogRetentionDays: 7,
}

/** Table `item (id, name, note)`; its document leaves the note out. */
export async function instancesWorld(): Promise<InstancesWorld> {
  const world = await installWorld()
  const index = `${world.server.prefix}item`
  const definition: DocumentDefinition = {
    table: 'item',
    index,
    fields: ['id', 'name'],
    mappings: { properties: { name: { type: 'keyword' } } },
  }
  const { pool } = world.database
  await pool.query('CREATE TABLE item (id int PRIMARY KEY, name text, note text)')
  await world.install({ item: definition })
  const running = new Set<Instance>()
  const stop = async (instance: Instance) => {
    running.delete(instance)
    await instance.stop()
  }
  return {
    ...world,
    definition,
    index,
    start: (name, options = {}) => {
      const { limits = {}, postgres, elasticsearch, definition: own, more = {}, observer, alerts } = options
      const settings: Settings = {
        postgres: postgres ?? world.database.url,
        elasticsearch: { url: elasticsearch ?? world.server.url },
        schema: world.schema,
        instance: name,
        logLevel: 'silent',
        documents: new Map(Object.entries({ item: own ?? definition, ...more })),
        file: 'sluice.config.ts',
        limits: { ...LIMITS, ...limits },
        ...(alerts === undefined ? {} : { alerts }),
      }
      const counted = observer === undefined ? {} : { observer }
      const instance = new Instance({ settings, log: pino({ level: 'silent' }), ...counted })
      running.add(instance)
      instance.start()
      return instance
    },
    stop,
    sql: async (text, values = []) => {
      await pool.query(text, values)
    },
    settled: async (
      truth = `SELECT id::text, json_build_object('id', id, 'name', name) AS document FROM item ORDER BY id`,
    ) => {
      const pending = async () => {
        const { rows } = await pool.query(
          `SELECT (SELECT count(*)::integer FROM sluice.sync_queue) AS marks,
                  (SELECT count(*)::integer FROM sluice.sync_run WHERE finished_at IS NULL) AS runs`,
        )
        return rows[0]
      }
      await eventually(
        async () => {
          const { marks, runs } = await pending()
          return marks + runs === 0
        },
        { timeoutMs: 45_000, describe: pending },
      )
      const { missing, stale, extra, examples } = await compare({
        pool,
        elasticsearch: world.server.url,
        index,
        truth,
      })
      if (missing + stale + extra > 0) {
        throw new Error(`missing ${missing}, stale ${stale}, extra ${extra}: ${examples.join(', ')}`)
      }
    },
    drop: async () => {
      await Promise.all([...running].map(stop))
      await world.drop()
    },
  }
}

export interface Gate {
  readonly url: string
  /** Holds bulk requests back from now on, as a slow network would: they have left the daemon, and nothing has got them. */
  shut(): void
  /** Number of requests held back. */
  readonly held: number
  /** Lets the oldest of them through, and nothing else. */
  step(): void
  /** Lets them through, and whatever comes; resolves with the answers' bodies when all have been answered. */
  open(): Promise<string[]>
  close(): Promise<void>
}

/** A proxy before Elasticsearch. What it holds is delivered late even if its sender has given up on it. */
export async function startGate(target: string): Promise<Gate> {
  let shut = false
  let held: (() => Promise<string>)[] = []
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('error', () => {})
    incoming.on('end', () => {
      const forward = () =>
        new Promise<string>((resolve, reject) => {
          const { host: _host, connection: _connection, ...headers } = incoming.headers
          const onward = httpRequest(new URL(incoming.url ?? '/', target), {
            method: incoming.method ?? 'GET',
            headers,
          })
          onward.on('error', reject)
          onward.on('response', (answer) => {
            const parts: Buffer[] = []
            answer.on('data', (part: Buffer) => parts.push(part))
            answer.on('end', () => {
              const body = Buffer.concat(parts)
              outgoing.writeHead(answer.statusCode ?? 502, {
                'content-type': answer.headers['content-type'] ?? 'application/json',
                'content-length': body.length,
              })
              outgoing.end(body)
              resolve(body.toString())
            })
          })
          onward.end(Buffer.concat(chunks))
        })
      if (shut && incoming.url?.includes('_bulk')) held.push(forward)
      else forward().catch(() => outgoing.destroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    shut: () => {
      shut = true
    },
    get held() {
      return held.length
    },
    step: () => {
      // Whoever has sent it may be gone.
      held
        .shift()?.()
        .catch(() => undefined)
    },
    open: () => {
      shut = false
      const late = held
      held = []
      return Promise.all(late.map((forward) => forward()))
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
