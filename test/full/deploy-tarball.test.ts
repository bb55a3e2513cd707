import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { packed } from '../support/packed.ts'
import { runTool } from '../support/servers/run-tool.ts'

/**
 * The guides of docs/deploy for whoever has the tarball, and made a project of it as docs/first-sync.md says: what they lay
 * out is laid out, their `npm ci` is run as it is written, by somebody whose npm cache has never seen the tarball, and what
 * comes of it is the daemon that its unit or its image starts.
 */

const repository = join(import.meta.dirname, '../..')
const search = testElasticsearch()

let database: TestDatabase
let scratch: string
let project: string
const daemons = new Set<ChildProcess>()

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(`CREATE TABLE item (id int PRIMARY KEY, name text)`)
  scratch = await mkdtemp(join(tmpdir(), 'sluice-deploy-'))
  project = join(scratch, 'project')
  const { tarball } = await packed(project)
  await runTool('npm', ['install', '--no-audit', '--no-fund', `./${basename(tarball)}`], {
    cwd: project,
    env: await environment('writer'),
  })
  // Not .ts: each of the names that a configuration may have is taken along.
  await writeFile(
    join(project, 'sluice.config.mts'),
    `import { defineConfig } from 'sluice'
     export default defineConfig({ documents: { item: { table: 'item', index: '${search.prefix}items' } } })`,
  )
  await writeFile(join(project, '.env'), 'DATABASE_URL=postgres://nobody@localhost/secret')
  for (const name of ['bin', 'etc']) await mkdir(join(scratch, name))
  await program('sudo', 'exec "$@"')
}, 600_000)
afterAll(async () => {
  for (const daemon of daemons) daemon.kill('SIGKILL')
  await rm(scratch, { recursive: true })
  await search.drop()
  await database.drop()
})

async function program(name: string, text: string): Promise<void> {
  const file = join(scratch, 'bin', name)
  await writeFile(file, `#!/bin/sh\n${text}\n`)
  await chmod(file, 0o755)
}

/** Of an account of its own: its npm cache is empty. With what says where npm finds its registry. */
async function environment(account: string): Promise<Record<string, string | undefined>> {
  return {
    ...process.env,
    PATH: [join(scratch, 'bin'), dirname(process.execPath), process.env.PATH].join(':'),
    npm_config_cache: await mkdtemp(join(scratch, `${account}-cache-`)),
  }
}

/** Runs the program that lies in that folder until a row of ours is a document; its end is a drained one. */
async function serve(folder: string, args: readonly string[], id: number): Promise<void> {
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: database.url,
    ELASTICSEARCH_URL: search.url,
    ADMIN_PORT: 'off',
  }
  await runTool(process.execPath, ['node_modules/sluice/dist/cli/main.js', 'install'], { cwd: folder, env })
  const daemon = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  daemons.add(daemon)
  let output = ''
  for (const stream of [daemon.stdout, daemon.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  await database.pool.query(`INSERT INTO item VALUES ($1, 'Kettle')`, [id])
  await eventually(
    async () =>
      expect(await search.request('GET', `/${search.prefix}items/_doc/${id}`)).toMatchObject({
        _source: { name: 'Kettle' },
      }),
    { timeoutMs: 60_000, describe: () => output },
  )
  const ended = once(daemon, 'close')
  daemon.kill('SIGTERM')
  const [code] = await ended
  daemons.delete(daemon)
  expect({ code, output }).toMatchObject({ code: 0 })
}

test('systemd.md: what it copies is enough for npm ci and for the unit', { timeout: 300_000 }, async () => {
  const page = await readFile(join(repository, 'docs/deploy/systemd.md'), 'utf8')
  const [, block = ''] = /^## Install\n[\s\S]*?```sh\n([\s\S]*?)```/m.exec(page) ?? []
  expect(block).toContain('npm ci ')
  const opt = join(scratch, 'opt/sluice')
  await mkdir(join(scratch, 'etc/systemd/system'), { recursive: true })
  await runTool('bash', ['-euc', block.replaceAll(/(?<![\w.])\/(opt|etc)\//g, `${scratch}/$1/`)], {
    cwd: project,
    env: await environment('root'),
  })
  expect(await readdir(opt)).toEqual(expect.arrayContaining(['node_modules', 'sluice.config.mts']))
  expect(await readdir(opt)).not.toContain('.env')
  const unit = await readFile(join(scratch, 'etc/systemd/system/sluice.service'), 'utf8')
  const [, command = ''] = /^ExecStart=\S*node (.+)$/m.exec(unit) ?? []
  const args = command.replaceAll('/opt/', `${scratch}/opt/`).split(' ')
  expect(args).toHaveLength(2)
  await serve(opt, args, 1)
})

/** What BuildKit would give the builder of our project: all is left out but what `!` lets in again. */
async function letIn(ignoreFile: string): Promise<readonly string[]> {
  const lines = (await readFile(ignoreFile, 'utf8')).split('\n')
  expect(lines).toContain('*')
  const patterns = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  return globSync(patterns, { cwd: project })
}

test('the Dockerfile: what is let in is enough for npm ci and for the image', {
  timeout: 300_000,
}, async () => {
  const docker = join(repository, 'deploy/docker')
  const context = join(scratch, 'context')
  for (const name of await letIn(join(docker, 'Dockerfile.dockerignore')))
    await cp(join(project, name), join(context, name), { recursive: true })
  expect(await readdir(context)).not.toContain('.env')

  const text = await readFile(join(docker, 'Dockerfile'), 'utf8')
  const [, packages = '', image = ''] = text.split(/^FROM .*$/m)
  /** COPY of the context's files; a pattern may match nothing, a name may not. */
  const copy = async (stage: string, to: string) => {
    await mkdir(to, { recursive: true })
    for (const [, words = ''] of stage.matchAll(/^COPY (?!--)(.+) \.\/$/gm))
      for (const word of words.split(' ')) {
        const found = globSync(word, { cwd: context })
        if (!word.includes('*')) expect(found).toEqual([word])
        for (const name of found) await cp(join(context, name), join(to, name))
      }
  }
  const build = join(scratch, 'build')
  await copy(packages, build)
  const [, ci = ''] = /^RUN (npm ci .*)$/m.exec(packages) ?? []
  await runTool('sh', ['-ec', ci], { cwd: build, env: await environment('builder') })

  const app = join(scratch, 'app')
  await copy(image, app)
  await cp(join(build, 'node_modules'), join(app, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
  })
  expect((await readdir(app)).toSorted()).toEqual(['node_modules', 'package.json', 'sluice.config.mts'])
  const words = (key: string): string[] =>
    JSON.parse(new RegExp(`^${key} (\\[.*\\])$`, 'm').exec(image)?.[1] ?? '[]')
  const command = [...words('ENTRYPOINT'), ...words('CMD')]
  expect(command.slice(0, 3)).toEqual(['tini', '--', 'node'])
  await serve(app, command.slice(3), 2)
})
