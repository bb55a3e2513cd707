import pg from 'pg'
import type { Queryable } from '../../postgres/types.ts'

/** A limit on connections, and what of it is left for daemons. */
export interface ConnectionLimit {
  readonly kind: 'server' | 'database' | 'role'
  /** Of the database or the role, quoted; empty for the server. */
  readonly name: string
  readonly limit: number
  /** Connections in use under this limit that are no daemon's. */
  readonly others: number
  /** What the daemons that live may open; at least one's. */
  readonly wanted: number
}

export interface Connections {
  /** What one daemon opens at most. */
  readonly each: number
  readonly limits: readonly ConnectionLimit[]
}

/**
 * Limits under which daemons connect. A daemon's own are told by its application_name, which is what it is called. Limits
 * of a database or a role do not hold for superusers. Everybody may read this; other users' sessions are counted, too.
 *
 * @param each what one daemon opens at most, by this configuration
 */
export async function readConnections(db: Queryable, schema: string, each: number): Promise<Connections> {
  const { rows } = await db.query<ConnectionLimit>(
    `WITH worker AS (
       SELECT w.instance, w.role, coalesce(r.rolsuper, false) AS super
         FROM ${pg.escapeIdentifier(schema)}.sync_workers v
         JOIN ${pg.escapeIdentifier(schema)}.sync_worker w USING (instance)
         LEFT JOIN pg_roles r ON r.rolname = w.role WHERE v.alive
     ), other AS (
       SELECT a.datname, a.usename FROM pg_stat_activity a
        WHERE a.backend_type = 'client backend'
          AND NOT EXISTS (SELECT FROM worker w WHERE a.application_name = left('sluice ' || w.instance, 63))
     )
     SELECT 'server' AS kind, '' AS name,
            current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
              - coalesce(nullif(current_setting('reserved_connections', true), '')::integer, 0) AS limit,
            (SELECT count(*) FROM other)::integer AS others,
            greatest((SELECT count(*) FROM worker), 1)::integer * $1 AS wanted
     UNION ALL
     SELECT 'database', quote_ident(d.datname), d.datconnlimit,
            (SELECT count(*) FROM other o WHERE o.datname = d.datname)::integer,
            (SELECT count(*) FROM worker w WHERE NOT w.super)::integer * $1
       FROM pg_database d
      WHERE d.datname = current_database() AND d.datconnlimit >= 0 AND EXISTS (SELECT FROM worker WHERE NOT super)
     UNION ALL
     SELECT 'role', quote_ident(r.rolname), r.rolconnlimit,
            (SELECT count(*) FROM other o WHERE o.usename = r.rolname)::integer,
            (SELECT count(*) FROM worker w WHERE w.role = r.rolname)::integer * $1
       FROM pg_roles r
      WHERE r.rolconnlimit >= 0 AND NOT r.rolsuper AND r.rolname IN (SELECT role FROM worker)`,
    [each],
  )
  return { each, limits: rows }
}
