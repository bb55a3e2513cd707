import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg, { escapeIdentifier, escapeLiteral } from 'pg'
import { ConfigError, FailedError } from '../errors.ts'
import { connectionError, isConnectionError, sqlState } from './connect.ts'
import { checkSchema, migrationLock } from './migrate.ts'
import { rollback } from './transaction.ts'

/** Group roles, called after the schema: two installations in one database do not share them. */
export interface Roles {
  readonly daemon: string
  readonly operator: string
  readonly reader: string
}

const file = fileURLToPath(new URL('../../migrations/roles/roles.sql', import.meta.url))

/** Postgres cuts names off at 63 bytes. */
const maxNameBytes = 63

/** Throws a ConfigError for a schema whose name is too long to call roles after. */
export function rolesOf(schema: string): Roles {
  const roles = { daemon: `${schema}_daemon`, operator: `${schema}_operator`, reader: `${schema}_reader` }
  if (Buffer.byteLength(roles.operator) <= maxNameBytes) return roles
  throw new ConfigError(`"${schema}" is too long for roles to be called after it: at most 54 bytes`, {
    where: 'SLUICE_SCHEMA',
  })
}

/** roles.sql with the names filled in: one text of several statements, without BEGIN and COMMIT. */
export async function rolesSql(schema: string): Promise<string> {
  const names: Readonly<Record<string, string>> = { schema, ...rolesOf(schema) }
  const text = await readFile(file, 'utf8')
  // What stands between dollar quotes must not hold them.
  let tag = 'roles'
  while (schema.includes(`$${tag}$`)) tag += '_'
  return text
    .replaceAll('$roles$', () => `$${tag}$`)
    .replace(/:(["'])(\w+)\1/g, (_, quote: string, name: string) =>
      (quote === '"' ? escapeIdentifier : escapeLiteral)(names[name] ?? ''),
    )
}

/**
 * Makes the roles, where they are not there, and sets their grants, all in one transaction. Returns the statements that
 * somebody else has to run (the owner of a table). Needs our schema; the role must own it, and may create roles where
 * one is missing. Throws a FailedError that says so otherwise, and nothing is changed.
 */
export async function applyRoles(url: string, schema: string): Promise<readonly string[]> {
  const sql = await rolesSql(schema)
  const client = new pg.Client({ connectionString: url, application_name: 'sluice migrate', keepAlive: true })
  client.on('error', () => {})
  try {
    await client.connect()
    await checkSchema(client, schema)
    await client.query('BEGIN; SET LOCAL search_path = pg_catalog, pg_temp')
    // Two that change the grants of one object at once fail; a migration may add to them.
    await client.query('SELECT pg_advisory_xact_lock($1)', [migrationLock])
    const results = await client.query<{ statement: string }>(sql)
    await client.query('COMMIT')
    const last = [results].flat().at(-1)
    return last?.rows.map(({ statement }) => statement) ?? []
  } catch (error) {
    if (isConnectionError(error)) throw connectionError(error, url)
    await rollback(client)
    if (sqlState(error) !== '42501') throw error
    throw new FailedError(error instanceof Error ? error.message : String(error), {
      where: `roles of schema ${escapeIdentifier(schema)}`,
      remedy:
        'It takes the owner of the schema, and CREATEROLE for roles that are not there. Or let an administrator run what sluice migrate --roles --dry-run prints.',
      cause: error,
    })
  } finally {
    await client.end().catch(() => {})
  }
}
