import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import pg from 'pg'
import { createSluice, type InstallReport, type Sluice } from '../../src/index.ts' // in your project: from 'sluice'
import { buildApp } from './app.ts'
import config from './sluice.config.ts'

export interface ShopOptions {
  readonly postgresUrl: string
  readonly elasticsearchUrl: string
  /** The alias that searches use; default: the configuration's. */
  readonly index?: string
  /** Default 'info'. */
  readonly logLevel?: string
  /** Milliseconds that an answer may wait for its own change to be found; default 5,000. */
  readonly searchableWithinMs?: number
}

export interface Shop {
  readonly app: FastifyInstance
  readonly pool: pg.Pool
  readonly sluice: Sluice
  /** What was installed at this start: nothing, at the second. */
  readonly installed: InstallReport
  /** Lets requests and batches under way finish. */
  close(): Promise<void>
}

/**
 * The shop with its daemon in the same process: tables and rows, if schema `shop` is not there yet; triggers and index;
 * then the daemon. With several processes of the application, run `sluice run` apart from them, or in each: they share
 * the work.
 */
export async function openShop({
  postgresUrl,
  elasticsearchUrl,
  index = config.documents.product?.index ?? 'products',
  logLevel = 'info',
  searchableWithinMs = 5_000,
}: ShopOptions): Promise<Shop> {
  const pool = new pg.Pool({ connectionString: postgresUrl, application_name: 'shop' })
  // A server that restarts: the next query connects anew.
  pool.on('error', () => {})
  const sluice = createSluice({
    env: { ...process.env, DATABASE_URL: postgresUrl, ELASTICSEARCH_URL: elasticsearchUrl },
    config: {
      ...config,
      documents: { product: { ...config.documents.product, table: 'shop.product', index } },
    },
  })
  const app = buildApp({ pool, sluice, elasticsearch: elasticsearchUrl, index, logLevel, searchableWithinMs })
  const close = async () => {
    await app.close()
    await sluice.stop()
    await pool.end()
  }
  try {
    await load(pool)
    const installed = await sluice.install()
    await sluice.start()
    return { app, pool, sluice, installed, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Tables and rows, all or nothing; none of it where there is a schema `shop`. */
async function load(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  try {
    const { rows } = await client.query(`SELECT FROM pg_namespace WHERE nspname = 'shop'`)
    if (rows.length > 0) return
    const read = (name: string) => readFile(new URL(name, import.meta.url), 'utf8')
    await client.query(`BEGIN; ${await read('schema.sql')} ${await read('seed.sql')} COMMIT`)
  } finally {
    // With its transaction, if that was left in the midst.
    client.release(true)
  }
}
