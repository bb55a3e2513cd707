import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { openWorld, type World } from '../bench/world.ts'
import { eventually } from '../support/eventually.ts'
import { dashboardHash, HASH_FILE } from '../support/pictured.ts'
import { freePort } from '../support/servers/ports.ts'
import { openChromium } from './chromium.ts'

/**
 * `npm run screenshots`: writes docs/images/dashboard-*.png, of a real daemon that has something to do: changes, a backfill
 * under way, and documents that Elasticsearch refuses; and of which files they are, for a test. On servers of its own; two
 * minutes.
 */

const FOLDER = join(import.meta.dirname, '../../docs/images')

/** Larger pictures are read by nobody who has a slow line. */
const MOST_BYTES = 150_000

/** Plots begin with a minute. */
const WATCH_MS = 75_000

const SHOTS: Readonly<Record<string, BrowserContextOptions>> = {
  'dashboard-light': { viewport: { width: 1120, height: 1040 }, colorScheme: 'light' },
  'dashboard-dark': { viewport: { width: 1120, height: 1040 }, colorScheme: 'dark' },
  'dashboard-phone': { viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true },
}

const documents = {
  product: {
    table: 'product',
    index: 'products',
    mappings: { properties: { released: { type: 'date' } } },
    settings: { number_of_replicas: 0 },
  },
  customer: { table: 'customer', index: 'customers', settings: { number_of_replicas: 0 } },
}

const world = await openWorld({ documents })
try {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const rows = await prepare(world)
  await world.startDaemon({
    env: { ADMIN_PORT: String(port), MAX_RETRIES: '2', SLUICE_INSTANCE: 'search-1' },
  })
  await eventually(async () => (await fetch(`${url}/ready`)).ok)
  const browser = await openChromium()
  try {
    await shoot(browser, url, () => write(world, rows))
  } finally {
    await browser.close()
  }
} finally {
  await world.close()
}

/** Two tables, one of them with rows that Elasticsearch will not take. */
async function prepare({ pool, sluice }: World): Promise<number> {
  const rows = 400_000
  await pool.query(`
    CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, city text NOT NULL);
    CREATE TABLE product (id int PRIMARY KEY, name text NOT NULL, price numeric(10,2) NOT NULL, released text);
    INSERT INTO customer SELECT n, 'Customer ' || n, 'City ' || n % 900 FROM generate_series(1, ${rows}) n;
    INSERT INTO product SELECT n, 'Product ' || n, n % 400 + 0.99, '2026-01-01' FROM generate_series(1, 2000) n`)
  await sluice('install', '--no-backfill')
  await pool.query(`UPDATE product SET released = 'next spring' WHERE id % 700 = 7`)
  await pool.query(`UPDATE product SET name = repeat('long ', 9000) WHERE id = 5`)
  return rows
}

/** A moment of an application's life: single edits, more or fewer by the clock, and now and then a lot at once. */
async function write({ pool }: World, rows: number): Promise<void> {
  const busy = 20 + Math.round(15 * Math.sin(Date.now() / 9_000))
  for (let n = 0; n < busy; n++) {
    const id = 1 + Math.floor(Math.random() * 2000)
    await pool.query(`UPDATE product SET price = price + 0.01 WHERE id = $1`, [id])
  }
  if (Math.random() < 0.1) {
    const from = Math.floor(Math.random() * (rows - 3000))
    await pool.query('UPDATE customer SET city = city || $3 WHERE id BETWEEN $1 AND $2', [
      from,
      from + 3000,
      '.',
    ])
  }
}

async function shoot(browser: Browser, url: string, work: () => Promise<void>): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  const pages = await Promise.all(
    Object.entries(SHOTS).map(async ([name, options]) => {
      const page = await (await browser.newContext(options)).newPage()
      await page.goto(url)
      return { name, page }
    }),
  )
  const until = performance.now() + WATCH_MS
  while (performance.now() < until) {
    await work()
    await delay(300)
  }
  await world.sluice('backfill', 'customer', '--no-wait')
  let done = false
  const working = (async () => {
    while (!done) {
      await work()
      await delay(300)
    }
  })()
  await delay(8_000)
  for (const { name, page } of pages) {
    const path = join(FOLDER, `${name}.png`)
    await page.bringToFront()
    await delay(1_000)
    await page.screenshot({ path })
    const { size } = await stat(path)
    process.stdout.write(`${path}: ${Math.round(size / 1000)} kB\n`)
    if (size > MOST_BYTES) process.exitCode = 1
  }
  await writeFile(HASH_FILE, `${dashboardHash()}\n`)
  done = true
  await working
}
