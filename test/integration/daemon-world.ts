import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { expect } from 'vitest'
import type { Settings } from '../../src/config/types.ts'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { Daemon } from '../../src/sync/daemon.ts'
import { eventually, type TestDatabase } from '../support/context.ts'
import { type PostgresServer, startPostgres } from '../support/servers/index.ts'
import { createSyncWorld, SCHEMA, type SyncWorld, thing } from './sync-world.ts'

/** Daemons on a Postgres of their own, for it is crashed now and then. */
export interface DaemonWorld extends SyncWorld {
  readonly postgres: PostgresServer
  startDaemon(overrides?: Overrides): RunningDaemon
  arrives(id: number, name: string | null): Promise<void>
  /** Empties the tables. */
  clear(): Promise<void>
  endDaemons(): Promise<void>
}

interface RunningDaemon {
  readonly daemon: Daemon
  readonly settings: Settings
  end(): Promise<void>
}

interface Overrides {
  readonly limits?: Partial<Settings['limits']>
  readonly documents?: Settings['documents']
  readonly elasticsearch?: string
  readonly schema?: string
  readonly postgres?: string
}

export async function createDaemonWorld(): Promise<DaemonWorld> {
  const postgres = await startPostgres()
  const pool = createPool(postgres.url, { max: 5, applicationName: 'test' })
  const database: TestDatabase = { url: postgres.url, pool, drop: () => pool.end() }
  const world = await createSyncWorld(database)
  let running: RunningDaemon[] = []
  return {
    ...world,
    postgres,
    startDaemon: (overrides = {}) => {
      const started = startDaemon(world, overrides)
      running.push(started)
      return started
    },
    arrives: async (id, name) => {
      await eventually(async () => expect(await world.indexed(id)).toBe(name), {
        describe: `${name} in the index`,
      })
    },
    clear: async () => {
      await pool.query(
        `TRUNCATE thing, "${SCHEMA}".sync_queue, "${SCHEMA}".sync_failed, "${SCHEMA}".sync_worker`,
      )
    },
    endDaemons: async () => {
      await Promise.all(running.map(({ end }) => end()))
      running = []
    },
    drop: async () => {
      await world.drop()
      await postgres.stop()
    },
  }
}

function startDaemon(
  world: SyncWorld,
  { limits, elasticsearch = world.search.url, ...overrides }: Overrides,
): RunningDaemon {
  const settings: Settings = {
    postgres: world.database.url,
    elasticsearch: { url: elasticsearch },
    schema: SCHEMA,
    instance: `test-${randomUUID()}`,
    logLevel: 'silent',
    documents: new Map([['thing', thing(world.plan.index)]]),
    file: 'sluice.config.ts',
    ...overrides,
    limits: { ...world.context.limits, ...limits },
  }
  const pool = createPool(settings.postgres, { max: 8, applicationName: settings.instance })
  const client = connectElasticsearch(settings.elasticsearch, {
    requestTimeoutMs: settings.limits.requestTimeout,
  })
  const daemon = new Daemon({ settings, pool, elasticsearch: client, log: pino({ level: 'silent' }) })
  daemon.start()
  let ended: Promise<void> | undefined
  const end = () => {
    ended ??= daemon.stop().then(async () => {
      await pool.end()
      await client.close()
    })
    return ended
  }
  return { daemon, settings, end }
}
