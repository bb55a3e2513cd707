import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { linksOf } from '../support/links.ts'
import { strangers } from '../support/package-contents.ts'

const repository = join(import.meta.dirname, '../..')

let paths: readonly string[]
beforeAll(async () => {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: repository,
    maxBuffer: 10_000_000,
  })
  const [packed]: { files: { path: string }[] }[] = Object.values(JSON.parse(stdout))
  paths = packed?.files.map(({ path }) => path) ?? []
}, 60_000)

test('npm pack takes what a user needs, and nothing else', () => {
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

test('links of its pages lead to what is in it; that they lead somewhere is test/unit/docs-index.test.ts', () => {
  const there = (target: string) =>
    paths.includes(target) || paths.some((path) => path.startsWith(`${target.replace(/\/$/, '')}/`))
  const pages = paths.filter((path) => path.endsWith('.md'))
  expect(pages.length).toBeGreaterThan(20)
  const dead = pages.flatMap((page) =>
    linksOf(readFileSync(join(repository, page), 'utf8'))
      .filter((link) => !/^([a-z]+:|#)/.test(link))
      .filter((link) => !there(join(dirname(page), link.replace(/#.*/, ''))))
      .map((link) => `${page}: ${link}`),
  )
  expect(dead).toEqual([])
})

test('maps of sources that are not in it are not packed', () => {
  const { compilerOptions } = JSON.parse(readFileSync(join(repository, 'tsconfig.build.json'), 'utf8'))
  expect(compilerOptions).toMatchObject({ sourceMap: false })
  expect(strangers(['dist/index.js.map', 'dist/index.d.ts.map'])).toHaveLength(2)
})
