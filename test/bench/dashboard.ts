import { setTimeout as delay } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { openChromium } from '../browser/chromium.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/servers/ports.ts'
import { type Cell, usual } from './cell.ts'
import { backends } from './idle.ts'
import { cpuSeconds } from './process-figures.ts'
import { article, articleTable, fillTable } from './rows.ts'
import type { World } from './world.ts'

/** Polling stretches after ten idle seconds; a few more, for what starting leaves to do. */
const SETTLE_MS = 15_000

/** What it costs to look: bytes and time to the first paint for whoever opens the page, processor time for the daemon. */
export const dashboard: Cell = {
  name: 'dashboard',
  about:
    'The dashboard: kB over the wire, first paint in Chromium, and what a daemon with one viewer uses over --seconds.',
  defaults: { ...usual, rows: 10_000, seconds: 30 },
  figures: {
    'over the wire': { of: 'value', atMost: 100 },
    'first paint': { of: 'value', atMost: 1000 },
    'daemon with one viewer': { of: 'value', atMost: 1 },
  },
  world: { documents: { article } },
  ownServers: 'it reads the processor time of Postgres’ backends from /proc',
  async *measure(world, { rounds, rows, seconds }, note) {
    await world.pool.query(articleTable('article'))
    await fillTable(world.postgresUrl, { count: rows })
    await world.sluice('install', '--no-backfill')
    const port = await freePort()
    const daemon = await world.startDaemon({ env: { ADMIN_PORT: String(port) } })
    const url = `http://127.0.0.1:${port}`
    await eventually(async () => (await fetch(`${url}/ready`)).ok)
    const browser = await openChromium()
    try {
      for (let round = 1; round <= rounds; round++) {
        note(`settling for ${SETTLE_MS / 1000} s`)
        await delay(SETTLE_MS)
        const alone = await used(world, daemon.pid, seconds)
        const { page, ...opened } = await open(browser, url)
        const watched = await used(world, daemon.pid, seconds)
        await page.context().close()
        const { kilobytes, files, raw, firstPaintMs } = opened
        yield {
          round,
          case: 'over the wire',
          value: kilobytes,
          unit: 'kB',
          details: { files, uncompressed: raw },
        }
        yield { round, case: 'first paint', value: firstPaintMs, unit: 'ms' }
        const details = {
          alone: alone.daemon.toFixed(2),
          'backends more': (watched.backends - alone.backends).toFixed(2),
        }
        yield { round, case: 'daemon with one viewer', value: watched.daemon, unit: '% of a core', details }
      }
    } finally {
      await browser.close()
    }
  },
}

/** Opens the page in a browser that has nothing of it yet, and leaves it open. */
async function open(browser: Browser, url: string) {
  const context = await browser.newContext()
  const page = await context.newPage()
  const network = await context.newCDPSession(page)
  const files = new Map<string, { readonly path: string; bytes: number; raw: number }>()
  network.on('Network.responseReceived', ({ requestId, response }) => {
    files.set(requestId, { path: new URL(response.url).pathname, bytes: 0, raw: 0 })
  })
  network.on('Network.dataReceived', ({ requestId, dataLength }) => {
    const file = files.get(requestId)
    if (file !== undefined) file.raw += dataLength
  })
  network.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const file = files.get(requestId)
    if (file !== undefined) file.bytes = encodedDataLength
  })
  await network.send('Network.enable')
  await page.goto(url)
  await page.locator('#document-list canvas').first().waitFor()
  const firstPaintMs = await firstPaint(page)
  await network.send('Network.disable')
  await network.detach()
  // Headers count; what is asked of the API does not, for it is the data and not the page.
  const parts = [...files.values()].filter(({ path }) => !path.startsWith('/api/'))
  const sum = (of: (file: { bytes: number; raw: number }) => number) =>
    parts.reduce((total, file) => total + of(file), 0) / 1000
  return {
    page,
    files: parts.length,
    kilobytes: sum(({ bytes }) => bytes),
    raw: sum(({ raw }) => raw).toFixed(1),
    firstPaintMs,
  }
}

function firstPaint(page: Page): Promise<number> {
  return page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime")
}

/** Percent of a core that the daemon, and the backends of its connections, use. */
async function used(world: World, daemon: number, seconds: number) {
  const pids = await backends(world)
  const now = () => ({
    at: performance.now(),
    daemon: cpuSeconds(daemon) ?? 0,
    backends: pids.reduce((sum, pid) => sum + (cpuSeconds(pid) ?? 0), 0),
  })
  const before = now()
  await delay(seconds * 1000)
  const after = now()
  const percent = (part: 'daemon' | 'backends') =>
    ((after[part] - before[part]) / (after.at - before.at)) * 100_000
  return { daemon: percent('daemon'), backends: percent('backends') }
}
