import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import { tableText } from '../catalog/table-name.ts'
import type { Catalog, TableName } from '../catalog/types.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Queryable } from '../postgres/types.ts'

/** A role that does not see all rows of a table that it reads for a document. Postgres refuses such a read: it pauses. */
export interface ReadingProblem {
  readonly document: string
  /** rows: row-level security hides some; table: it has no grant, which install may be about to give. */
  readonly missing: 'rows' | 'table'
  readonly what: string
  /** SQL. */
  readonly remedy: string
  /** What else would do. */
  readonly advice: string | null
}

interface Row {
  readonly role: string
  readonly oid: number
  readonly hidden: boolean
}

/**
 * What the roles that read a document's tables may not see of them. Those are: of the root table and of what a query
 * reads, the roles of the living daemons and the logins that are members of the daemon's role; of every table, the
 * owner of the document's view, with whose rights a view reads. Needs our schema. One statement.
 *
 * Row-level security passes by superusers, roles with BYPASSRLS, and owners unless it is forced; whether a policy lets
 * all rows pass is not looked at, for Postgres does not, either.
 */
export async function readingProblems(
  db: Queryable,
  schema: string,
  catalog: Catalog,
  plan: DocumentPlan,
): Promise<readonly ReadingProblem[]> {
  const known = (tables: readonly TableName[]) => tables.flatMap((table) => catalog.table(table)?.oid ?? [])
  const direct = known([plan.table, ...(plan.query?.names ?? [])])
  const all = known(plan.sources.map(({ table }) => table))
  const { rows } = await db.query<Row>(
    `WITH reading AS (
       SELECT r.oid AS role, t.oid AS tab FROM pg_roles r CROSS JOIN unnest($1::oid[]) AS t (oid)
        WHERE NOT r.rolsuper
          AND (r.rolname IN (SELECT w.role FROM ${quoteIdentifier(schema)}.sync_worker w
                              WHERE w.state <> 'stopped' AND w.seen_at > clock_timestamp() - interval '1 day')
            OR r.rolcanlogin AND EXISTS (SELECT FROM pg_roles g
                                          WHERE g.rolname = $3 AND g.oid <> r.oid AND pg_has_role(r.oid, g.oid, 'MEMBER')))
       UNION
       SELECT v.relowner, t.oid FROM pg_class v CROSS JOIN unnest($2::oid[]) AS t (oid)
        WHERE v.oid = to_regclass($4)
     )
     SELECT quote_ident(r.rolname) AS role, c.oid, s.hidden
       FROM reading x JOIN pg_roles r ON r.oid = x.role JOIN pg_class c ON c.oid = x.tab
      CROSS JOIN LATERAL (
        SELECT c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
               AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE')) AS hidden,
               NOT has_any_column_privilege(r.oid, c.oid, 'SELECT') AS denied) s
      WHERE s.hidden OR s.denied
      ORDER BY 1, c.oid::regclass::text`,
    [direct, all, `${schema}_daemon`, quoteTable({ schema, name: plan.view })],
  )
  return rows.flatMap(({ role, oid, hidden }) => {
    const table = catalog.tables.find((candidate) => candidate.oid === oid)
    if (table === undefined) return []
    const problem = hidden
      ? {
          missing: 'rows' as const,
          what: `row-level security on ${tableText(table)} hides rows from ${role}, which reads it: so that they are not taken for deleted, nothing is read`,
          remedy: `ALTER ROLE ${role} BYPASSRLS`,
          advice: 'or let it own the table (without FORCE ROW LEVEL SECURITY); see docs/security.md',
        }
      : {
          missing: 'table' as const,
          what: `${role} may not read ${tableText(table)}`,
          remedy: `GRANT SELECT ON ${quoteTable(table)} TO ${role}`,
          advice: null,
        }
    return [{ document: plan.document, ...problem }]
  })
}
