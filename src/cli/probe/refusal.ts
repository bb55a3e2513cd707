import type { Pool } from 'pg'
import type { DocumentPlan } from '../../documents/types.ts'
import { FailedError } from '../../errors.ts'
import { sqlState } from '../../postgres/connect.ts'
import { rolesOf } from '../../postgres/roles.ts'
import type { Database } from '../context.ts'

/** Postgres refused the probe's role something: an error that names the grants. Any other error is returned as it is. */
export async function refusal(
  { pool, schema }: Database,
  plan: DocumentPlan,
  touch: boolean,
  error: unknown,
): Promise<unknown> {
  if (sqlState(error) !== '42501' || !(error instanceof Error)) return error
  const { role, lacks } = await lacking(pool, schema, plan, touch)
  const takes =
    "A probe takes what an operator may, SELECT on the document's view and table, and with --touch UPDATE on the table"
  return new FailedError(`${error.message}, as role ${role}`, {
    cause: error,
    remedy:
      lacks.length === 0
        ? `${takes}. These it has: grant what Postgres names, which the document is made of.`
        : `${takes}. Let an administrator run: ${lacks.join('; ')}`,
  })
}

/**
 * Grants that a probe needs and the role that is connected has not, as SQL; what a document's `sql` reads is not among them.
 * Objects are found in the catalogs, which everybody may read: by name they are only found with USAGE of their schema.
 */
async function lacking(
  pool: Pool,
  schema: string,
  { table, view, query }: DocumentPlan,
  touch: boolean,
): Promise<{ readonly role: string; readonly lacks: readonly string[] }> {
  const { rows } = await pool.query<{ role: string; lacks: string[] | null }>(
    `WITH object AS (
       SELECT n.nspname, c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (n.nspname, c.relname) IN (($1::text, 'sync_queue'), ($1, 'sync_version'), ($1, $2::text), ($3::text, $4::text))
     ), needed (n, has, what) AS (
       SELECT 1, (SELECT bool_and(has_schema_privilege(n.oid, 'USAGE')) FROM pg_namespace n WHERE n.nspname = $1)
                   AND (SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc p
                          JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = 'enqueue')
                   AND (SELECT bool_and(has_table_privilege(oid, 'SELECT')) FROM object
                         WHERE nspname = $1 AND relname = ANY (ARRAY['sync_queue', 'sync_version'])),
              quote_ident($5::text)
       UNION ALL
       SELECT 2, has_table_privilege(oid, 'SELECT'), format('SELECT ON %I.%I', nspname, relname)
         FROM object WHERE nspname = $1 AND relname = $2 AND NOT $6::boolean
       UNION ALL
       SELECT 3, has_schema_privilege(n.oid, 'USAGE'), format('USAGE ON SCHEMA %I', n.nspname)
         FROM pg_namespace n WHERE n.nspname = $3
       UNION ALL
       SELECT 4, has_table_privilege(oid, p), format('%s ON %I.%I', p, nspname, relname)
         FROM object CROSS JOIN (VALUES ('SELECT'), ('UPDATE')) AS v (p)
        WHERE nspname = $3 AND relname = $4 AND (p = 'SELECT' OR $7::boolean)
     )
     SELECT quote_ident(current_user) AS role,
            array_agg(format('GRANT %s TO %I', what, current_user) ORDER BY n, what) FILTER (WHERE NOT has) AS lacks
       FROM needed`,
    [schema, view, table.schema, table.name, rolesOf(schema).operator, query !== undefined, touch],
  )
  return { role: rows[0]?.role ?? '', lacks: rows[0]?.lacks ?? [] }
}
