import { readdir } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg, { escapeIdentifier } from 'pg'
import { ConfigError, SchemaError } from '../errors.ts'
import { connectionError, isConnectionError, sqlState } from './connect.ts'
import type { Queryable } from './types.ts'

/** `migrations/` of the package: as far from src/postgres as from dist/postgres. */
const directory = fileURLToPath(new URL('../../migrations', import.meta.url))

/** Where the applied migrations are recorded, in our schema. */
const migrationTable = 'sync_migration'

/** Of ours alone: an application that migrates with the same library is not kept waiting. */
export const migrationLock = 7_310_583_921

/** Parsed function bodies came with 14; 15 is the oldest that is tested. */
const oldestServer = 150_000

/**
 * Brings our schema up to date, all migrations in one transaction; returns the names of those applied. Several at once
 * are fine: they wait for each other under a session lock, so this needs a direct connection, not PgBouncer.
 * The role must own the schema, or be allowed to create it (CREATE on the database); it need not be a superuser.
 */
export async function migrate(url: string, schema: string): Promise<readonly string[]> {
  assertSchemaName(schema)
  const client = new pg.Client({ connectionString: url, application_name: 'sluice migrate', keepAlive: true })
  client.on('error', () => {})
  try {
    await client.connect()
    await assertDirect(client)
    await assertServer(client)
    await assertNotNewer(client, schema)
    // Loaded here: a daemon looks at the schema and never migrates it.
    const { runner } = await import('node-pg-migrate')
    const applied = await runner({
      dbClient: client,
      dir: directory,
      direction: 'up',
      schema,
      // Asked for only when missing: CREATE SCHEMA IF NOT EXISTS wants the privilege even where it has nothing to do.
      createSchema: !(await schemaExists(client, schema)),
      migrationsSchema: schema,
      migrationsTable: migrationTable,
      singleTransaction: true,
      advisoryLockMode: 'wait',
      lockValue: migrationLock,
      logger: { info: ignore, warn: ignore, error: ignore },
    })
    return applied.map(({ name }) => name)
  } catch (error) {
    if (isConnectionError(error)) throw connectionError(error, url)
    if (sqlState(error) === '42501') {
      throw new SchemaError(error instanceof Error ? error.message : String(error), {
        where: `schema ${escapeIdentifier(schema)}`,
        remedy: `Let an administrator run: CREATE SCHEMA ${escapeIdentifier(schema)} AUTHORIZATION <the role in DATABASE_URL>`,
        cause: error,
      })
    }
    throw error
  } finally {
    await client.end().catch(ignore)
  }
}

function ignore(): void {}

/** Throws a SchemaError unless our schema is exactly the one that this program knows. One statement when it is. */
export async function checkSchema(db: Queryable, schema: string): Promise<void> {
  const known = await knownMigrations()
  const applied = await appliedMigrations(db, schema)
  const where = `schema ${escapeIdentifier(schema)}`
  if (applied === null) {
    throw new SchemaError('it is not there yet', {
      where,
      remedy: 'Run sluice migrate (sluice install does, too).',
    })
  }
  refuseNewer(applied, known, schema)
  const missing = known.filter((name) => !applied.includes(name))
  if (missing.length > 0) {
    throw new SchemaError(`it is older than this sluice: ${missing.join(', ')} not applied`, {
      where,
      remedy: 'Run sluice migrate.',
    })
  }
}

async function assertNotNewer(db: Queryable, schema: string): Promise<void> {
  const applied = await appliedMigrations(db, schema)
  if (applied !== null) refuseNewer(applied, await knownMigrations(), schema)
}

function refuseNewer(applied: readonly string[], known: readonly string[], schema: string): void {
  const unknown = applied.filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  throw new SchemaError(
    `it has ${unknown.join(', ')}, and this sluice knows migrations up to ${known.at(-1)}`,
    {
      where: `schema ${escapeIdentifier(schema)}`,
      remedy: 'Upgrade sluice: a newer version has migrated this schema.',
      final: true,
    },
  )
}

/** Names of this package's migrations, in order. */
async function knownMigrations(): Promise<readonly string[]> {
  const files = await readdir(directory)
  return files
    .filter((file) => extname(file) === '.sql')
    .map((file) => basename(file, '.sql'))
    .sort()
}

/** Names of the migrations applied, in order; null without our schema. */
async function appliedMigrations(db: Queryable, schema: string): Promise<readonly string[] | null> {
  try {
    const { rows } = await db.query<{ name: string }>(
      `SELECT name FROM ${escapeIdentifier(schema)}.${migrationTable} ORDER BY id`,
    )
    return rows.map(({ name }) => name)
  } catch (error) {
    const state = sqlState(error)
    // Undefined table, invalid schema name.
    if (state === '42P01' || state === '3F000') return null
    throw error
  }
}

async function schemaExists(db: Queryable, schema: string): Promise<boolean> {
  const { rows } = await db.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema])
  return rows.length > 0
}

/**
 * A pooler in transaction mode would take the lock on one server connection and give it back on another, where it stays
 * for ever, and leave our search_path to the application's next transaction. It is known by introducing another process
 * than the one that answers.
 */
async function assertDirect(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  if (!('processID' in client) || client.processID === null || client.processID === rows[0]?.pid) return
  throw new ConfigError('it leads through a connection pooler, and migrations need a session of their own', {
    where: 'DATABASE_URL',
    remedy:
      'Name the server itself for this command: sluice migrate --database-url … Everything else goes through the pooler.',
  })
}

async function assertServer(db: Queryable): Promise<void> {
  const { rows } = await db.query<{ number: number; version: string }>(
    "SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS version",
  )
  const [server] = rows
  if (server !== undefined && server.number < oldestServer) {
    throw new SchemaError(`Postgres ${server.version} is too old`, {
      remedy: 'sluice needs 15 or later.',
      final: true,
    })
  }
}

/** node-pg-migrate puts the name between quotes without escaping it, and Postgres cuts it off at 63 bytes. */
function assertSchemaName(schema: string): void {
  const expected = 'expected a name of 1 to 63 bytes without quotes, backslashes and control characters'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (schema === '' || Buffer.byteLength(schema) > 63 || /["'\\\u0000-\u001f]/.test(schema)) {
    throw new ConfigError(`${JSON.stringify(schema)}: ${expected}`, { where: 'SLUICE_SCHEMA' })
  }
  if (schema.startsWith('pg_')) {
    throw new ConfigError(`"${schema}": names that begin with pg_ are reserved by Postgres`, {
      where: 'SLUICE_SCHEMA',
    })
  }
}
