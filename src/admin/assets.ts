import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/** A file that a browser gets. */
export interface Asset {
  readonly type: string
  readonly etag: string
  readonly body: Buffer
  readonly gzipped: Buffer
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Files of another package, by the name that the page calls them by. */
const FOREIGN = { 'uplot.js': 'uplot/dist/uPlot.iife.min.js', 'uplot.css': 'uplot/dist/uPlot.min.css' }

/** The dashboard's files by name, from the folder beside this module; compressed once, for it is the same for everybody. */
export async function readAssets(): Promise<ReadonlyMap<string, Asset>> {
  const folder = join(import.meta.dirname, 'dashboard')
  const { resolve } = createRequire(import.meta.url)
  const paths = [
    ...(await readdir(folder)).map((name) => [name, join(folder, name)] as const),
    ...Object.entries(FOREIGN).map(([name, path]) => [name, resolve(path)] as const),
  ]
  return new Map(await Promise.all(paths.map(async ([name, path]) => [name, await readAsset(path)] as const)))
}

async function readAsset(path: string): Promise<Asset> {
  const body = await readFile(path)
  return {
    type: TYPES[extname(path)] ?? 'application/octet-stream',
    // Weak: of the content, and not of its compression.
    etag: `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    body,
    gzipped: await promisify(gzip)(body, { level: 9 }),
  }
}
