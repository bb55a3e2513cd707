import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { npmTool } from '../support/checkers.ts'
import { strangers } from '../support/package-contents.ts'
import { packed } from '../support/packed.ts'
import { runTool } from '../support/servers/run-tool.ts'

/** The package as its users get it: packed, installed in an empty project, run and type-checked there. */

const repository = join(import.meta.dirname, '../..')
const tsc = join(repository, 'node_modules/.bin/tsc')

let scratch: string
let project: string
let tarball: string
let paths: readonly string[]
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'sluice-package-'))
  ;({ tarball, paths } = await packed(scratch))
  project = join(scratch, 'project')
  await mkdir(project)
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  await runTool('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: project })
}, 300_000)
afterAll(() => rm(scratch, { recursive: true }))

test('it holds the program, and nothing that nobody expects there', () => {
  expect(strangers(paths)).toEqual([])
  expect(paths).toEqual(
    expect.arrayContaining([
      'dist/cli/main.js',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/admin/dashboard/index.html',
      'dist/admin/dashboard/main.js',
      'dist/admin/dashboard/style.css',
      'deploy/docker/Dockerfile',
    ]),
  )
})

test('its command runs from an empty project', async () => {
  const sluice = (...args: readonly string[]) =>
    runTool(process.execPath, ['node_modules/.bin/sluice', ...args], { cwd: project })
  const { version }: { version: string } = JSON.parse(
    await readFile(join(repository, 'package.json'), 'utf8'),
  )
  expect(await sluice('--version')).toBe(`${version}\n`)
  expect(await sluice('--help')).toContain('Usage: sluice')
  // With all that the daemon is made of.
  expect(await sluice('run', '--help')).toContain('The daemon')
})

test('its dashboard has all its files, those of a dependency included', async () => {
  const script = `const { readAssets } = await import('./node_modules/sluice/dist/admin/assets.js')
    console.log([...(await readAssets()).keys()].join())`
  const names = await runTool(process.execPath, ['--input-type=module', '-e', script], { cwd: project })
  expect(names).toMatch(/\bindex\.html\b.*\buplot\.js\b/)
})

const compile = (...files: readonly string[]) =>
  runTool(
    process.execPath,
    [tsc, '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', ...files],
    { cwd: project },
  )

test('configuration and library are typed, those of their dependencies included', {
  timeout: 300_000,
}, async () => {
  const good = `
    import { defineConfig, sql } from 'sluice'
    export default defineConfig({
      documents: { city: { table: 'city', index: 'cities', fields: { slug: sql('lower(name)') } } },
    })`
  await writeFile(join(project, 'sluice.config.ts'), good)
  await writeFile(
    join(project, 'app.ts'),
    `import { createSluice, type Sluice } from 'sluice'
     const sluice: Sluice = createSluice({ config: { documents: {} } })
     await sluice.start()
     await sluice.stop()`,
  )
  await compile('sluice.config.ts', 'app.ts')
  await writeFile(join(project, 'wrong.ts'), good.replace('table:', 'tabel:'))
  await expect(compile('wrong.ts')).rejects.toThrow("'tabel' does not exist in type 'DocumentDefinition'")
})

test('its types are right for whoever looks (attw, publint)', { timeout: 300_000 }, async () => {
  const attw = join(await npmTool('@arethetypeswrong/cli', '0.18.5'), 'attw')
  // ESM alone: a require() of it is Node's matter.
  await runTool(process.execPath, [attw, '--profile', 'esm-only', '--no-emoji', tarball])
  const publint = join(await npmTool('publint', '0.3.25'), 'publint')
  await runTool(process.execPath, [publint, '--strict', tarball])
})
