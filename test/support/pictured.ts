import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the pictures of the dashboard show: the files that a browser gets, as one hash beside the script that takes them. */

const root = join(import.meta.dirname, '../..')
const FOLDER = join(root, 'src/admin/dashboard')

/** Written with the pictures, and compared by test/unit/screenshots.test.ts. */
export const HASH_FILE = join(root, 'test/browser/dashboard.sha256')

/** SHA-256 of all files of the dashboard and their names, hexadecimal; without comments, which nobody sees. */
export function dashboardHash(): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).sort()) {
    const text = readFileSync(join(FOLDER, name), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/ .*$/gm, '')
    hash.update(`${name}\n${text.length}\n`).update(text)
  }
  return hash.digest('hex')
}
