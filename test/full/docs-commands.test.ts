import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text as readText } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { exceptions } from '../support/documented/elsewhere.ts'
import { chapters } from '../support/documented/steps.ts'
import type { DocsWorld, Said, Step } from '../support/documented/world.ts'

/**
 * What README.md and docs/ tell their readers to type, typed into a shell as it is written: test/support/documented/steps.ts
 * says in which order, and what has to come. Only names of places are other ones here (`adapted` below).
 * test/unit/docs-commands.test.ts holds that nothing is left out.
 */

const repository = join(import.meta.dirname, '../..')

const search = testElasticsearch()
const suffix = search.prefix.slice(1, -1)
const schemaOfRoles = `docs_${suffix}`
let database: TestDatabase
let folder: string
let hooks: Server
const posted: string[] = []
let environment: Record<string, string>
/** The daemon that was started last. */
let daemon: Running | null = null

interface Running {
  readonly pid: number
  readonly ended: Promise<Said>
  output(): string
}

beforeAll(async () => {
  database = await testDatabase()
  folder = await realpath(await mkdtemp(join(tmpdir(), 'sluice-docs-commands-')))
  for (const name of ['bin', 'project', 'project/db']) await mkdir(join(folder, name))
  await program('sluice', `exec '${process.execPath}' '${repository}/src/cli/main.ts' "$@"`)
  await program('npx', 'exec "$@"')
  hooks = createServer(async (request: IncomingMessage, response) => {
    posted.push(await readText(request))
    response.end()
  })
  hooks.listen(0, '127.0.0.1')
  await once(hooks, 'listening')
  const postgres = new URL(database.url)
  environment = {
    PATH: [join(folder, 'bin'), join(repository, 'node_modules/.bin'), process.env.PATH].join(delimiter),
    HOME: folder,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '',
    NO_COLOR: '1',
    DATABASE_URL: database.url,
    ELASTICSEARCH_URL: search.url,
    ADMIN_PORT: '0',
    // So that the mass-delete brake trips soon.
    BATCH_SIZE: '100',
    ADMIN_TOKEN: 'c4naryTOKENc4naryTOKEN',
    // For psql.
    PGHOST: postgres.hostname,
    PGPORT: postgres.port,
    PGUSER: decodeURIComponent(postgres.username),
    PGPASSWORD: decodeURIComponent(postgres.password),
    PGDATABASE: postgres.pathname.slice(1),
  }
})
afterAll(async () => {
  if (daemon !== null) process.kill(-daemon.pid, 'SIGKILL')
  hooks.close()
  await dropRoles()
  await rm(folder, { recursive: true })
  await search.drop()
  await database.drop()
})

async function program(name: string, text: string): Promise<void> {
  const file = join(folder, 'bin', name)
  await writeFile(file, `#!/bin/sh\n${text}\n`)
  await chmod(file, 0o755)
}

/** Roles belong to the server, which other tests share. */
async function dropRoles(): Promise<void> {
  const { rows } = await database.pool.query<{ name: string }>(
    'SELECT quote_ident(rolname) AS name FROM pg_roles WHERE starts_with(rolname, $1)',
    [schemaOfRoles],
  )
  for (const { name } of rows) await database.pool.query(`DROP OWNED BY ${name} CASCADE; DROP ROLE ${name}`)
}

const world: DocsWorld = {
  index: (name) => `${search.prefix}${name}`,
  role: (name) => `${schemaOfRoles}_${name}`,
  sql: async (text) => {
    const { rows } = await database.pool.query<Record<string, unknown>>(text)
    return rows
  },
  search: (method, path, body) => search.request(method, path, body),
  write: (name, text) => writeFile(join(folder, 'project', name), text),
  posted: () => posted,
}

/** The command with places of this test: addresses, names of indices and roles, the last run for run 12. */
async function adapted({ run: text, roles }: Step): Promise<string> {
  const { rows } = text.includes('12')
    ? await database.pool.query<{ id: string }>('SELECT max(id)::text AS id FROM sluice.sync_run')
    : { rows: [] }
  const places = text
    .replaceAll(/(?<=runs (?:show|watch|cancel) )12\b/g, rows[0]?.id ?? '12')
    .replaceAll(/postgres:\/\/\S+/g, database.url)
    .replaceAll(/https:\/\/hooks\.example\.com/g, `http://127.0.0.1:${(hooks.address() as AddressInfo).port}`)
    .replaceAll('/api/indices/', `/api/indices/${search.prefix}`)
    .replaceAll('localhost:9187', () => adminAddress())
    .replaceAll('<pid>', () => String(daemon?.pid))
  return roles === true
    ? places.replaceAll(/\bsluice_(?=daemon\b)|\b(?=shop_search\b)/g, `${schemaOfRoles}_`)
    : places
}

/** The log says which port was free. */
function adminAddress(): string {
  const address = /http:\/\/(127\.0\.0\.1:\d+)/.exec(daemon?.output() ?? '')?.[1]
  if (address === undefined) throw new Error(`no address in the log:\n${daemon?.output()}`)
  return address
}

function start(command: string, step: Step): Running {
  // Where it asks somebody, there has to be a terminal.
  const [shell, args] =
    step.answers === undefined ? ['bash', ['-c', command]] : ['script', ['-qec', command, '/dev/null']]
  const child = spawn(shell as string, args as string[], {
    cwd: step.in === 'repository' ? repository : join(folder, step.in ?? 'project'),
    env: { ...environment, ...(step.roles === true ? { SLUICE_SCHEMA: schemaOfRoles } : {}) },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part
    })
  }
  child.stdin.on('error', () => {})
  child.stdin.end(step.answers === undefined ? '' : `${step.answers}\n`)
  const ended = new Promise<Said>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
  return { pid: child.pid ?? 0, ended, output: () => output }
}

async function follow(step: Step): Promise<void> {
  await step.before?.(world)
  const command = await adapted(step)
  if (step.in !== undefined && step.in !== 'repository')
    await mkdir(join(folder, step.in), { recursive: true })
  if (step.sql === true) {
    const { rows } = await database.pool.query<Record<string, unknown>>(command)
    if (step.says !== undefined) expect(JSON.stringify(rows), step.run).toMatch(step.says)
  } else if (step.goesOn === true) {
    daemon = start(command.replace(/\bsluice run$/, 'exec sluice run'), step)
    const started = daemon
    await eventually(() => expect(started.output()).toMatch(step.says ?? /./), { describe: started.output })
  } else {
    const running = start(command, step)
    if (step.interrupt !== undefined) {
      const until = step.interrupt
      await eventually(() => until.test(running.output()), { describe: running.output })
      process.kill(-running.pid, 'SIGINT')
    }
    const { code, output } = await running.ended
    if (step.ends === true) {
      const stopped = daemon
      daemon = null
      expect({ run: step.run, ...(await stopped?.ended) }).toMatchObject({ code: 0 })
    }
    expect({ code, output }, `${step.run}\n${output}`).toMatchObject({ code: step.code ?? 0 })
    if (step.says !== undefined) expect(output, step.run).toMatch(step.says)
  }
  await step.after?.(world)
}

test.each(chapters)('$title', { timeout: 300_000 }, async ({ steps }) => {
  for (const step of steps) await follow(step)
})

const measured = Object.keys(exceptions).flatMap((command) => {
  const [, script, rest] = /^npm run (bench|chaos|drill|outage|proof|soak) -- ([^<]+)$/.exec(command) ?? []
  return script === undefined || rest === undefined ? [] : [{ command, script, rest }]
})

test.each(measured)('what is not run here is known: $command', async ({ script, rest }) => {
  const { code, output } = await start(`npm run -s ${script} -- --help`, { run: '', in: 'repository' }).ended
  expect(code).toBe(0)
  for (const word of rest.match(/(?<!\S)(?:--)?[a-z][a-z-]*/g) ?? []) expect(output).toContain(word)
})
