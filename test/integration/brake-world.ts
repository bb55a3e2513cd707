import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { expect } from 'vitest'
import type { DocumentDefinition, Settings } from '../../src/config/types.ts'
import { Instance } from '../../src/runs/instance.ts'
import { eventually } from '../support/context.ts'
import { type InstallWorld, installWorld } from './install-world.ts'

export const ROWS = 10_000
const BATCH = 500
const WORKERS = 2
/** The limit, and a batch of each worker that raced. */
export const MOST_DELETED = 1_000 + WORKERS * BATCH

/** The documents `item`, of whose rows some are active, and `other`: installed, and what the brake makes of their deletes. */
export interface BrakeWorld extends InstallWorld {
  item(change?: Partial<DocumentDefinition>): DocumentDefinition
  other(): DocumentDefinition
  startDaemon(definition?: DocumentDefinition): BrakeDaemon
  /** Documents in the index. */
  count(alias?: string): Promise<number>
  /** Everything that may be worked off has been. */
  settled(): Promise<void>
  brake(): Promise<BrakeRow | undefined>
  alarm(): Promise<unknown>
  parkedKeys(): Promise<number>
}

export interface BrakeDaemon {
  readonly logged: readonly Logged[]
  stop(): Promise<void>
}

interface Logged {
  readonly level: number
  readonly msg: string
  readonly document?: string
}

interface BrakeRow {
  readonly deletes: number
  readonly documents: number
  readonly tripped: boolean
  readonly parked: number
  readonly sample: readonly string[]
}

export async function brakeWorld(): Promise<BrakeWorld> {
  const world = await installWorld('Sluice brake')
  const item = (change: Partial<DocumentDefinition> = {}): DocumentDefinition => ({
    table: 'item',
    index: `${world.server.prefix}item`,
    where: 'active',
    ...change,
  })
  const other = (): DocumentDefinition => ({ table: 'other', index: `${world.server.prefix}other` })
  await world.database.pool.query(`
    CREATE TABLE item (id integer PRIMARY KEY, name text, active boolean NOT NULL DEFAULT true);
    CREATE TABLE other (id integer PRIMARY KEY, name text)`)
  await world.install({ item: item(), other: other() })
  return {
    ...world,
    item,
    other,
    startDaemon: (definition = item()) => {
      const logged: Logged[] = []
      const settings: Settings = {
        postgres: world.database.url,
        elasticsearch: { url: world.server.url },
        schema: world.schema,
        instance: `test-${randomUUID()}`,
        logLevel: 'info',
        limits: {
          batchSize: BATCH,
          batchBytes: 1024 * 1024,
          concurrency: WORKERS,
          pollingInterval: 20,
          maxRetries: 5,
          requestTimeout: 20_000,
          shutdownTimeout: 10_000,
          syncLogRetentionDays: 7,
        },
        documents: new Map([
          ['item', definition],
          ['other', other()],
        ]),
        file: 'sluice.config.ts',
      }
      const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) })
      const instance = new Instance({ settings, log })
      instance.start()
      return { logged, stop: () => instance.stop() }
    },
    count: async (alias = 'item') => {
      await world.elasticsearch.refresh(`${world.server.prefix}${alias}`)
      return world.elasticsearch.count(`${world.server.prefix}${alias}`)
    },
    settled: async () => {
      await eventually(
        async () =>
          expect(
            await world.value(
              `SELECT (SELECT count(*) FROM "Sluice brake".sync_queue WHERE lane < 2)
                    + (SELECT count(*) FROM "Sluice brake".sync_run WHERE finished_at IS NULL)`,
            ),
          ).toBe('0'),
        { timeoutMs: 30_000 },
      )
    },
    brake: async () => {
      const { rows } = await world.database.pool.query<BrakeRow>(
        `SELECT deletes::integer, documents::integer, tripped_at IS NOT NULL AS tripped, parked::integer, sample
           FROM "Sluice brake".sync_brake`,
      )
      return rows[0]
    },
    alarm: () => world.value(`SELECT alarm FROM "Sluice brake".sync_document WHERE name = 'item'`),
    parkedKeys: async () =>
      Number(await world.value(`SELECT parked_keys FROM "Sluice brake".sync_stats WHERE document = 'item'`)),
  }
}
