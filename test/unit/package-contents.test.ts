import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { strangers } from '../support/package-contents.ts'

const repository = join(import.meta.dirname, '../..')

test('npm pack takes what a user needs, and nothing else', async () => {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: repository,
    maxBuffer: 10_000_000,
  })
  const [packed]: { files: { path: string }[] }[] = Object.values(JSON.parse(stdout))
  const paths = packed?.files.map(({ path }) => path) ?? []
  expect(strangers(paths)).toEqual([])
  const all = (folder: string) =>
    readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(repository.length + 1))
  // dist is built when it is packed in earnest (test/full/package.test.ts).
  expect(paths).toEqual(
    expect.arrayContaining([
      ...['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE', '.env.example'],
      ...['migrations', 'deploy', 'docs'].flatMap(all),
    ]),
  )
})
