import { quoteIdentifier } from '../catalog/quote.ts'
import type { Queryable } from '../postgres/types.ts'

/** A setting under which ordinary triggers do not fire, for all sessions that begin with it. */
export interface ReplicaSetting {
  /** Null: every role; and every database. Both null and not `server`: ALTER ROLE ALL. */
  readonly role: string | null
  readonly database: string | null
  /** In the server's configuration, or on its command line. */
  readonly server: boolean
}

/**
 * Where `session_replication_role` is `replica` for this database: for a role, the database, a role in it, or the server.
 * What a session sets for itself nobody else can see. Everybody may read this.
 */
export async function readReplicaSettings(db: Queryable): Promise<readonly ReplicaSetting[]> {
  const { rows } = await db.query<ReplicaSetting>(replicaSettingsSql)
  return rows
}

// pg_settings computes each setting there is: only where ours says so at all.
const replicaSettingsSql = `
  SELECT r.rolname::text AS role, d.datname::text AS database, false AS server
    FROM pg_catalog.pg_db_role_setting s
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
   WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
     AND EXISTS (SELECT FROM pg_catalog.unnest(s.setconfig) AS c WHERE c ~* '^session_replication_role=replica$')
  UNION ALL
  SELECT NULL, NULL, true
   WHERE CASE WHEN pg_catalog.current_setting('session_replication_role') = 'replica' THEN
           EXISTS (SELECT FROM pg_catalog.pg_settings
                    WHERE name = 'session_replication_role' AND source IN ('configuration file', 'command line'))
         END
  ORDER BY server DESC, role, database`

/** Whom it is set for: `role loader in database shop`. */
export function replicaSettingText({ role, database, server }: ReplicaSetting): string {
  if (server) return 'the server'
  const names = [
    ...(role === null ? [] : [`role ${role}`]),
    ...(database === null ? [] : [`database ${database}`]),
  ]
  return names.length === 0 ? 'all roles' : names.join(' in ')
}

/** SQL that takes it back; sessions that are open keep what they have. */
export function takeBackSql({ role, database, server }: ReplicaSetting): string {
  const setting = 'session_replication_role'
  if (server) return `ALTER SYSTEM RESET ${setting}; SELECT pg_reload_conf()`
  if (role === null && database !== null)
    return `ALTER DATABASE ${quoteIdentifier(database)} RESET ${setting}`
  const whose = role === null ? 'ALL' : quoteIdentifier(role)
  const where = database === null ? '' : ` IN DATABASE ${quoteIdentifier(database)}`
  return `ALTER ROLE ${whose}${where} RESET ${setting}`
}
