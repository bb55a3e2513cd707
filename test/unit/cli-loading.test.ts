import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const main = join(import.meta.dirname, '../../src/cli/main.ts')

/** Says at the end on standard error which packages were loaded. */
const spy = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  const packages = new Set()
  registerHooks({
    load: (url, context, next) => {
      const name = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]
      if (name !== undefined) packages.add(name)
      return next(url, context)
    },
  })
  process.on('exit', () => process.stderr.write(JSON.stringify([...packages])))
`)}`

async function packagesOf(...args: readonly string[]): Promise<readonly string[]> {
  const { stderr } = await promisify(execFile)(process.execPath, ['--import', spy, main, ...args])
  const packages: readonly string[] = JSON.parse(stderr)
  return packages
}

describe('packages in memory', () => {
  test('of the daemon are not those of other commands', async () => {
    const packages = await packagesOf('run', '--help')
    expect(packages).toEqual(expect.arrayContaining(['commander', 'pg', 'pino', '@elastic/elasticsearch']))
    expect(packages).not.toContain('cli-table3')
    expect(packages).not.toContain('cli-progress')
    expect(packages).not.toContain('node-pg-migrate')
  })

  test('of a command that asks the database alone hold no Elasticsearch client', async () => {
    const packages = await packagesOf('--quiet', 'pause', '--help')
    expect(packages).toContain('pg')
    expect(packages).not.toContain('@elastic/elasticsearch')
    expect(packages).not.toContain('pino')
  })
})
