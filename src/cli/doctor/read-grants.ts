import { escapeIdentifier } from 'pg'
import type { Queryable } from '../../postgres/types.ts'

/** Roles of living daemons that lack something which `sluice migrate --roles` grants. */
export interface MissingGrant {
  /** Quoted. */
  readonly role: string
  /** `DELETE on sluice.sync_queue` */
  readonly lacks: readonly string[]
}

/**
 * What a daemon needs of our own tables, as migrations/roles/roles.sql has it for its role: looked at for the roles of
 * living daemons and the logins that are members of that role. The owner has it all. (Roles belong to the whole server:
 * where the group has nothing here, its members are another database's.)
 */
export async function readMissingGrants(db: Queryable, schema: string): Promise<readonly MissingGrant[]> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<MissingGrant>(
    `WITH daemon AS (
       SELECT r.oid, quote_ident(r.rolname) AS role FROM pg_roles r
        WHERE NOT r.rolsuper
          AND (r.rolname IN (SELECT w.role FROM ${s}.sync_worker w
                              WHERE w.state <> 'stopped' AND w.seen_at > clock_timestamp() - interval '1 day')
            OR r.rolcanlogin AND EXISTS (SELECT FROM pg_roles g WHERE g.rolname = $1::text || '_daemon' AND g.oid <> r.oid
                                            AND pg_has_role(r.oid, g.oid, 'MEMBER')
                                            AND EXISTS (SELECT FROM pg_class c, aclexplode(c.relacl) a
                                                         WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND a.grantee = g.oid)))
     ), needed (tab, privilege) AS (
       SELECT t, p FROM unnest($2::text[]) AS t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
       UNION ALL SELECT t, p FROM unnest($3::text[]) AS t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p
       UNION ALL SELECT t, p FROM unnest($4::text[]) AS t, unnest(ARRAY['SELECT', 'INSERT']) AS p
       UNION ALL SELECT t, 'SELECT' FROM unnest($5::text[]) AS t
     ), lacking AS (
       SELECT d.role, format('%s on %I.%I', n.privilege, $1::text, n.tab) AS lack
         FROM daemon d CROSS JOIN needed n
         JOIN pg_class c ON c.relname = n.tab AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
        WHERE NOT has_table_privilege(d.oid, c.oid, n.privilege)
       UNION ALL
       SELECT d.role, format('USAGE on schema %I', n.nspname) FROM daemon d CROSS JOIN pg_namespace n
        WHERE n.nspname = $1 AND NOT has_schema_privilege(d.oid, n.oid, 'USAGE')
       UNION ALL
       SELECT d.role, format('USAGE on sequence %I.sync_version', $1::text)
         FROM daemon d JOIN pg_class c ON c.relname = 'sync_version' AND c.relkind = 'S'
          AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
        WHERE NOT has_sequence_privilege(d.oid, c.oid, 'USAGE')
     )
     SELECT role, array_agg(lack ORDER BY lack) AS lacks FROM lacking GROUP BY role ORDER BY role`,
    [schema, all, updated, written, read],
  )
  return rows
}

/** As migrations/roles/roles.sql has them; a test compares. */
const all = ['sync_queue', 'sync_index', 'sync_failed', 'sync_brake']
const updated = ['sync_run', 'sync_alert', 'sync_worker', 'sync_identity', 'sync_rollup']
const written = ['sync_log', 'sync_audit']
const read = ['sync_migration', 'sync_document', 'sync_source', 'sync_schedule']
