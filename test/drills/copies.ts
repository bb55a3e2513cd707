import { execFile } from 'node:child_process'
import { appendFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { serverAccount } from '../support/servers/account.ts'
import { type PostgresServer, startPostgres } from '../support/servers/index.ts'
import { isAlive } from '../support/servers/processes.ts'
import { runTool } from '../support/servers/run-tool.ts'

/** The ways in which a second database of the same past comes about. */

export async function withClient<T>(url: string, fn: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'drill' })
  client.on('error', () => {})
  await client.connect()
  try {
    return await fn(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** A streaming, asynchronous standby: a base backup taken while the primary works, as pg_basebackup takes it. */
export function startStandby(primary: PostgresServer): Promise<PostgresServer> {
  const { username, password } = new URL(primary.url)
  const conninfo = `host=127.0.0.1 port=${primary.port} user=${username} password=${password}`
  return startPostgres({
    fill: async (data) => {
      await withClient(primary.url, async (client) => {
        await client.query("SELECT pg_backup_start('drill', true)")
        await copyData(primary, data)
        const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop()')
        await put(join(data, 'backup_label'), rows[0]?.labelfile ?? '')
      })
      await put(join(data, 'standby.signal'), '')
      await appendFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`)
    },
  })
}

export async function promote(standby: PostgresServer): Promise<void> {
  await withClient(standby.url, (client) => client.query('SELECT pg_promote(true, 30)'))
}

/** Stops the server, copies its data directory and starts it again: the copy is as a disk snapshot would be. */
export async function coldCopy(server: PostgresServer): Promise<() => Promise<PostgresServer>> {
  const { pid } = server
  await server.kill('SIGINT')
  const deadline = Date.now() + 30_000
  while (isAlive(pid) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
  const kept = join(server.directory, 'kept')
  await runTool('cp', ['-a', join(server.directory, 'data'), kept])
  await server.start()
  return () => startPostgres({ fill: (data) => copy(kept, data).then(() => undefined) })
}

/** pg_dump of PATH and its major version, or null. */
export async function findPgDump(): Promise<number | null> {
  try {
    const { stdout } = await promisify(execFile)('pg_dump', ['--version'])
    return Number(/(\d+)(\.\d+)?\s*(\(.*\))?\s*$/.exec(stdout)?.[1])
  } catch {
    return null
  }
}

/** A plain-text dump, as `pg_dump shop > shop.sql` makes it. */
export async function dump(url: string, file: string): Promise<void> {
  await promisify(execFile)('pg_dump', ['--dbname', url, '--file', file])
}

export async function restore(url: string, file: string): Promise<void> {
  const args = ['--dbname', url, '--quiet', '--set', 'ON_ERROR_STOP=1', '--file', file]
  await promisify(execFile)('psql', args, { maxBuffer: 64 * 1024 * 1024 })
}

async function copyData(server: PostgresServer, target: string): Promise<void> {
  await copy(join(server.directory, 'data'), target)
  await rm(join(target, 'postmaster.pid'), { force: true })
  await rm(join(target, 'postmaster.opts'), { force: true })
}

/** Files that go away meanwhile (recycled WAL) make cp complain, and are none that the copy needs. */
async function copy(source: string, target: string): Promise<void> {
  await runTool('cp', ['-a', `${source}/.`, target]).catch((error: unknown) => {
    if (!/No such file|cannot stat/.test(String(error))) throw error
  })
}

async function put(file: string, text: string): Promise<void> {
  await writeFile(file, text)
  if (serverAccount) await runTool('chown', [`${serverAccount.uid}:${serverAccount.gid}`, file])
}
