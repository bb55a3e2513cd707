import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import pg from 'pg'
import { handOver } from './account.ts'
import { type Server, startServer } from './server.ts'

/** The program, or null where it is not installed (Debian package `pgbouncer`). */
export function findPgBouncer(): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, 'pgbouncer')).find((file) => existsSync(file)) ?? null
}

export interface PgBouncerOptions {
  /** URL of the server behind it; its database is the one that `url` leads to. */
  readonly postgres: string
  /** Server connections for one database. */
  readonly poolSize: number
}

/** Starts PgBouncer in transaction mode before a Postgres. Whoever connects is the server URL's user. */
export async function startPgBouncer({ postgres, poolSize }: PgBouncerOptions): Promise<Server> {
  const program = findPgBouncer()
  if (program === null) throw new Error('pgbouncer is not installed')
  const server = new URL(postgres)
  const url = (port: number) => Object.assign(new URL(postgres), { hostname: '127.0.0.1', port }).href
  return startServer({
    name: 'PgBouncer',
    prepare: async () => {},
    command: async (directory, port) => {
      const file = join(directory, 'pgbouncer.ini')
      await writeFile(file, configuration(server, port, poolSize))
      await handOver(file)
      return { file: program, args: [file] }
    },
    url,
    isReady: async (address) => {
      const client = new pg.Client({ connectionString: address, connectionTimeoutMillis: 2_000 })
      client.on('error', () => {})
      try {
        await client.connect()
        await client.query('SELECT 1')
        return true
      } finally {
        await client.end()
      }
    },
    orderlySignal: 'SIGINT',
    lastSignal: 'SIGKILL',
    startTimeoutMs: 15_000,
  })
}

/** `auth_type = any`: the user is the one written here, whatever the client says. */
function configuration(server: URL, port: number, poolSize: number): string {
  const { hostname, port: serverPort, username, password } = server
  return `[databases]
* = host=${hostname} port=${serverPort || 5432} user=${decodeURIComponent(username)} password='${decodeURIComponent(password)}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 100
`
}
