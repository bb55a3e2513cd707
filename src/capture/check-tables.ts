import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import { tableText } from '../catalog/table-name.ts'
import type { Catalog, TableName } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { ConfigError } from '../errors.ts'
import type { Queryable } from '../postgres/types.ts'
import { definitionPart } from './parts-using.ts'
import { captureStatements } from './statements.ts'

/**
 * What would fail half-way otherwise: a missing privilege on a watched table, or a trigger of the same name that is
 * another's (two installations whose schema and document names join to the same).
 */
export async function checkTables(
  db: Queryable,
  { plan, definition }: { readonly plan: DocumentPlan; readonly definition: DocumentDefinition },
  catalog: Catalog,
  schema: string,
): Promise<void> {
  for (const source of plan.sources) {
    const { triggers } = captureStatements(plan, source, schema)
    const tables = new Set(triggers.map(({ table }) => table))
    const where = `documents.${plan.document}.${definitionPart(definition, source.source).path || 'table'}`
    for (const table of tables) {
      const oid = catalog.table(table)?.oid
      if (oid === undefined) continue
      await checkPrivileges(db, table, oid, where)
      if (source.always) await checkOwner(db, table, oid, where)
      const names = triggers.filter((trigger) => trigger.table === table).map(({ name }) => name)
      await checkNames(db, table, oid, names, schema, where)
    }
  }
}

async function checkPrivileges(db: Queryable, table: TableName, oid: number, where: string): Promise<void> {
  const { rows } = await db.query<{
    usage: boolean
    read: boolean
    trigger: boolean
    hidden: boolean
    role: string
  }>(
    `SELECT has_schema_privilege($2, 'USAGE') AS usage, has_any_column_privilege($1::oid, 'SELECT') AS read,
            has_table_privilege($1::oid, 'TRIGGER') AS trigger, row_security_active($1::oid) AS hidden,
            quote_ident(current_user) AS role`,
    [oid, table.schema],
  )
  const [row] = rows
  if (row === undefined) return
  // The views are read with this role's rights. Rows that it does not see would be deleted from the index, so every
  // read is refused (row_security = off), and the document would be paused from the start.
  if (row.hidden) {
    throw new ConfigError(`row-level security on ${tableText(table)} hides rows from ${row.role}`, {
      where,
      remedy: `Install as the table's owner (without FORCE ROW LEVEL SECURITY), or let a superuser run: ALTER ROLE ${row.role} BYPASSRLS`,
    })
  }
  if (row.usage && row.read && row.trigger) return
  const what = row.usage && row.read ? 'create triggers on' : 'read'
  const usage = row.usage ? '' : `GRANT USAGE ON SCHEMA ${quoteIdentifier(table.schema)} TO ${row.role}; `
  throw new ConfigError(`${row.role} may not ${what} ${tableText(table)}`, {
    where,
    remedy: `Let its owner run: ${usage}GRANT SELECT, TRIGGER ON ${quoteTable(table)} TO ${row.role}`,
  })
}

/** CREATE TRIGGER takes a grant; that a trigger fires for replicated rows is for the owner to say. */
async function checkOwner(db: Queryable, table: TableName, oid: number, where: string): Promise<void> {
  const { rows } = await db.query<{ owns: boolean; owner: string; role: string }>(
    `SELECT pg_has_role(c.relowner, 'USAGE') AS owns, quote_ident(pg_get_userbyid(c.relowner)) AS owner,
            quote_ident(current_user) AS role
       FROM pg_class c WHERE c.oid = $1`,
    [oid],
  )
  const [row] = rows
  if (row === undefined || row.owns) return
  throw new ConfigError(
    `${tableText(table)} gets its rows by logical replication, and only its owner ${row.owner} can let triggers fire for them`,
    { where, remedy: `Install as ${row.owner}, or GRANT ${row.owner} TO ${row.role}` },
  )
}

async function checkNames(
  db: Queryable,
  table: TableName,
  oid: number,
  names: readonly string[],
  schema: string,
  where: string,
): Promise<void> {
  const { rows } = await db.query<{ name: string; function: string }>(
    `SELECT t.tgname AS name, p.oid::regprocedure::text AS function
       FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE t.tgrelid = $1 AND t.tgname = ANY ($2) AND n.nspname <> $3`,
    [oid, names, schema],
  )
  const [taken] = rows
  if (taken === undefined) return
  throw new ConfigError(
    `${tableText(table)} has a trigger ${taken.name} already, which calls ${taken.function}`,
    {
      where,
      remedy: 'Rename the document, or that trigger.',
    },
  )
}
