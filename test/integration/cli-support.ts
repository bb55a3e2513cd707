import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type TestDatabase,
  type TestElasticsearch,
  testDatabase,
  testElasticsearch,
} from '../support/context.ts'

/** The command line, as its users have it: a process in a folder, with an environment. */

const main = join(import.meta.dirname, '../../src/cli/main.ts')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Workspace {
  readonly folder: string
  write(name: string, text: string): Promise<void>
  /** The same; its path. */
  file(name: string, text: string): Promise<string>
  /** Runs `sluice …args` here to its end. */
  sluice(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>
  /** The JSON document that a command prints, whatever its exit code. */
  json(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<{ code: number | null; value: unknown }>
  /** Starts a command that goes on; it is killed with the workspace. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Started
  remove(): Promise<void>
}

export interface Started {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  /** What it has printed so far. */
  output(): string
}

/** A database of its own, a place in Elasticsearch, and a folder whose commands find both in their environment. */
export interface CommandWorld {
  readonly db: TestDatabase
  readonly search: TestElasticsearch
  readonly place: Workspace
  drop(): Promise<void>
}

export async function commandWorld(env: Readonly<Record<string, string>> = {}): Promise<CommandWorld> {
  const db = await testDatabase()
  const search = testElasticsearch()
  const place = await workspace({ DATABASE_URL: db.url, ELASTICSEARCH_URL: search.url, ...env })
  return {
    db,
    search,
    place,
    drop: async () => {
      await place.remove()
      await search.drop()
      await db.drop()
    },
  }
}

/** An empty folder whose commands see only this environment. */
export async function workspace(base: Readonly<Record<string, string>> = {}): Promise<Workspace> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'sluice-cli-')))
  const running = new Set<Started>()

  const start: Workspace['start'] = (args, env = {}) => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        NO_COLOR: '1',
        // Daemons of several files at once would fight for the port; who tests it says so.
        ADMIN_PORT: 'off',
        ...base,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve({ code, stdout, stderr }))
    })
    const started = { process: child, ended, output: () => stdout + stderr }
    running.add(started)
    void ended.finally(() => running.delete(started))
    return started
  }
  const sluice: Workspace['sluice'] = (args, env) => start(args, env).ended

  return {
    folder,
    write: (name, text) => writeFile(join(folder, name), text),
    file: async (name, text) => {
      await writeFile(join(folder, name), text)
      return join(folder, name)
    },
    sluice,
    json: async (args, env) => {
      const { code, stdout, stderr } = await sluice([...args, '--json'], env)
      try {
        return { code, value: JSON.parse(stdout) }
      } catch {
        throw new Error(`not one JSON document:\n${stdout}\n${stderr}`)
      }
    },
    start,
    remove: async () => {
      for (const { process } of running) process.kill('SIGKILL')
      await Promise.all([...running].map(({ ended }) => ended))
      await rm(folder, { recursive: true })
    },
  }
}
