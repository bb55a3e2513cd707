import type { Queryable } from '../../postgres/types.ts'

/** A transaction that keeps vacuum from removing what was deleted since it began. */
export interface OldSnapshot {
  /** Null: it was prepared (two-phase commit), and no process has it. */
  readonly pid: number | null
  /** Name of a prepared transaction. */
  readonly gid: string | null
  readonly application: string
  readonly state: string
  readonly ageMs: number
}

/** Why dead marks are not cleaned away. */
export interface VacuumOff {
  /** server: `autovacuum` or `track_counts` is off; table: it was switched off for a table of ours. */
  readonly kind: 'server' | 'table'
  /** Setting, or table: quoted, with its schema. */
  readonly name: string
}

/** Younger ones come and go: a dump, a report. */
const OLD_SNAPSHOT = '15 minutes'

/** Sessions of other databases do not count: vacuum of our tables does not wait for them. */
export async function readOldSnapshots(
  db: Queryable,
  olderThan = OLD_SNAPSHOT,
): Promise<readonly OldSnapshot[]> {
  const { rows } = await db.query<OldSnapshot>(
    `SELECT pid, NULL AS gid, application_name AS application, coalesce(state, backend_type) AS state,
            extract(epoch FROM clock_timestamp() - xact_start)::float8 * 1000 AS "ageMs"
       FROM pg_stat_activity
      WHERE datname = current_database() AND backend_type NOT LIKE 'autovacuum%' AND pid <> pg_backend_pid()
        AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND xact_start < clock_timestamp() - $1::interval
      UNION ALL
     SELECT NULL, gid, '', 'prepared', extract(epoch FROM clock_timestamp() - prepared)::float8 * 1000
       FROM pg_prepared_xacts
      WHERE database = current_database() AND prepared < clock_timestamp() - $1::interval
      ORDER BY "ageMs" DESC`,
    [olderThan],
  )
  return rows
}

export async function readVacuumOff(db: Queryable, schema: string): Promise<readonly VacuumOff[]> {
  const { rows } = await db.query<VacuumOff>(
    `SELECT 'server' AS kind, name FROM unnest(ARRAY['autovacuum', 'track_counts']) AS s (name)
      WHERE current_setting(name) = 'off'
     UNION ALL
     SELECT 'table', format('%I.%I', n.nspname, c.relname)
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'r'
        AND EXISTS (SELECT FROM pg_options_to_table(c.reloptions)
                     WHERE option_name = 'autovacuum_enabled' AND NOT option_value::boolean)
     ORDER BY 1, 2`,
    [schema],
  )
  return rows
}

/** Schemas on the search_path in which everybody may create: public, in a database that is older than Postgres 15. */
export async function readOpenSchemas(db: Queryable): Promise<readonly string[]> {
  const { rows } = await db.query<{ schema: string }>(
    `SELECT quote_ident(n.nspname) AS schema FROM pg_namespace n
      WHERE n.nspname = ANY (current_schemas(false)) AND has_schema_privilege('public', n.oid, 'CREATE') ORDER BY 1`,
  )
  return rows.map(({ schema }) => schema)
}
