import { quoteIdentifier } from '../catalog/quote.ts'
import { tableText } from '../catalog/table-name.ts'
import type { TableName } from '../catalog/types.ts'
import type { Queryable } from '../postgres/types.ts'

/** A way in which changes of a table can go by without a mark at this moment. */
export interface CaptureGap extends TableName {
  /**
   * off: some of its triggers are gone, or do not fire; came: it is a partition that has come since the install;
   * went: it was one; subscribed: its rows have come by logical replication since the install.
   */
  readonly kind: 'off' | 'came' | 'went' | 'subscribed'
}

/** An installed document whose triggers should fire. */
export interface Captured {
  readonly name: string
  readonly alarm: string | null
  readonly gaps: readonly CaptureGap[]
  /** Some of its triggers are not ALWAYS enabled: they do not fire under `session_replication_role = replica`. */
  readonly ordinary: boolean
}

/** For a transaction of it: the joins are written in their order, and compiling them would take longer than they do. */
export const catalogSettings = { jit: 'off', join_collapse_limit: '1' } as const

/**
 * What `install` would find about the triggers, in one statement over the catalog for a daemon that asks again and again.
 * No lock is taken on any table, and no privilege on them is needed. By what `install` noted: a table is looked up by
 * its name, for another one may have taken that, or else it was renamed and is found by its oid.
 *
 * Processor time of Postgres 18, on a busy machine and with `catalogSettings`: two documents of four tables 2.2 ms, most
 * of it planning; with a table of 300 partitions besides 6.4 ms.
 */
export async function readCaptured(db: Queryable, schema: string): Promise<readonly Captured[]> {
  const { rows } = await db.query<Captured>(capturedSql(quoteIdentifier(schema)))
  return rows
}

/** How many tables are named; the rest is counted. */
const NAMED = 5

/** What goes by without a mark, each with what to do about it. */
export function gapTexts(gaps: readonly CaptureGap[]): string[] {
  const told = (kind: CaptureGap['kind'], text: (tables: string) => string) => {
    const tables = gaps.filter((gap) => gap.kind === kind)
    if (tables.length === 0) return []
    const more = tables.length > NAMED ? ` and ${tables.length - NAMED} more` : ''
    return [`${text(tables.slice(0, NAMED).map(tableText).join(', ') + more)} (sluice install)`]
  }
  return [
    ...told('off', (tables) => `changes of ${tables}, where triggers are gone or switched off`),
    ...told(
      'came',
      (tables) =>
        `a TRUNCATE of the partition ${tables}, new since the install, and rows that it had when it came`,
    ),
    ...told('went', (tables) => `rows that went with the partition ${tables}`),
    ...told('subscribed', (tables) => `rows that come to ${tables} by logical replication`),
  ]
}

/**
 * A partition has copies of the row-level triggers, of the same names, and a trigger for TRUNCATE of its own: all names
 * are expected on all tables. One that came has the copies and lacks the latter. One that was renamed has not gone: our
 * trigger is on it. Levels between the root and the leaves do not count: nothing fires there.
 */
function capturedSql(s: string): string {
  return `
    WITH RECURSIVE source AS MATERIALIZED (
      SELECT d.name AS document, p.source, p.always, p.leaves, coalesce(named.oid, noted.oid) AS relation,
             ARRAY(SELECT DISTINCT (t ->> 'name')::name
                     FROM pg_catalog.jsonb_array_elements(s.objects -> 'triggers') AS t) AS triggers
        FROM ${s}.sync_document d
       CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(d.plan -> 'sources')
             AS p (source text, "table" jsonb, always boolean, leaves jsonb)
        JOIN ${s}.sync_source s ON s.document = d.name AND s.source = p.source
        LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = (p."table" ->> 'schema')::name
        LEFT JOIN pg_catalog.pg_class named
               ON named.relname = (p."table" ->> 'name')::name AND named.relnamespace = n.oid
        LEFT JOIN pg_catalog.pg_class noted ON noted.oid = s.relation
       WHERE d.state <> 'detached'
    ), noted AS MATERIALIZED (
      SELECT source.document, source.source, l.schema, l.name
        FROM source CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(source.leaves) AS l (schema name, name name)
    ), tree AS (
      SELECT document, source, relation, false AS inner_level FROM source
      UNION ALL
      SELECT tree.document, tree.source, i.inhrelid, true
        FROM tree
        JOIN pg_catalog.pg_class parent ON parent.oid = tree.relation AND parent.relkind = 'p'
        JOIN pg_catalog.pg_inherits i ON i.inhparent = parent.oid AND NOT i.inhdetachpending
    ), watched AS MATERIALIZED (
      SELECT source.document, source.source, tree.inner_level AS leaf, n.nspname AS schema, c.relname AS name,
             noted.name IS NOT NULL AS noted,
             NOT source.always
               AND EXISTS (SELECT FROM pg_catalog.pg_subscription_rel r WHERE r.srrelid = c.oid) AS subscribed,
             cardinality(source.triggers) AS wanted, present.*
        FROM tree
        JOIN source USING (document, source)
        JOIN pg_catalog.pg_class c ON c.oid = tree.relation
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN noted ON (noted.document, noted.source, noted.schema, noted.name)
                         = (source.document, source.source, n.nspname, c.relname)
       CROSS JOIN LATERAL (
         SELECT count(*) FILTER (WHERE t.tgenabled = 'A' OR (t.tgenabled = 'O' AND NOT source.always)) AS firing,
                count(*) FILTER (WHERE t.tgenabled = 'A') AS always,
                count(*) FILTER (WHERE t.tgparentid = 0) > 0 AS own
           FROM pg_catalog.pg_trigger t
          WHERE t.tgrelid = c.oid AND t.tgname = ANY (source.triggers)
       ) present
       WHERE c.relkind <> 'p' OR NOT tree.inner_level
    ), shrunk AS (
      SELECT document, source
        FROM (SELECT document, source, count(*) AS leaves FROM noted GROUP BY document, source) was
        JOIN (SELECT document, source, count(*) FILTER (WHERE noted OR (leaf AND own)) AS leaves
                FROM watched GROUP BY document, source) has USING (document, source)
       WHERE has.leaves < was.leaves
    ), gap AS (
      SELECT document, schema, name, CASE WHEN leaf AND NOT noted AND NOT own THEN 'came' ELSE 'off' END AS kind
        FROM watched WHERE firing < wanted
      UNION
      SELECT document, schema, name, 'subscribed' FROM watched WHERE subscribed
      UNION
      SELECT noted.document, noted.schema, noted.name, 'went'
        FROM noted JOIN shrunk USING (document, source) LEFT JOIN watched w USING (document, source, schema, name)
       WHERE w.document IS NULL
    )
    SELECT d.name, d.alarm, coalesce(o.ordinary, false) AS ordinary, coalesce(g.gaps, '[]') AS gaps
      FROM ${s}.sync_document d
      LEFT JOIN (SELECT document, bool_or(always < wanted) AS ordinary FROM watched GROUP BY document) o
             ON o.document = d.name
      LEFT JOIN (SELECT document, json_agg(json_build_object('kind', kind, 'schema', schema, 'name', name)
                                           ORDER BY kind, schema, name) AS gaps
                   FROM gap GROUP BY document) g
             ON g.document = d.name
     WHERE d.state <> 'detached'
     ORDER BY d.name`
}
