import type { Queryable } from '../postgres/types.ts'
import { readNodeTree } from './node-tree.ts'
import { readQueryTree } from './query-tree.ts'
import type { QueryRead, TableName } from './types.ts'

/** A function that a query calls, itself or by a view that it reads. */
export interface QueryFunction {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly volatility: 'i' | 's' | 'v'
  readonly arguments: number
  readonly extension: boolean
  /** Its parsed body, where it has one. */
  readonly tree: string | null
}

interface Relation extends TableName {
  readonly oid: number
  readonly kind: string
  /** Of a view: its rule, and the query in that. */
  readonly rule: number | null
  readonly tree: string | null
}

/** All that stands behind a query. */
export interface QueryClosure {
  /** What its text names; without system catalogs. */
  readonly names: readonly TableName[]
  readonly reads: readonly QueryRead[]
  readonly functions: readonly QueryFunction[]
  readonly readsClock: boolean
  readonly readsSession: boolean
}

/** Postgres keeps no dependencies on what is its own. */
const system: ReadonlySet<string> = new Set(['information_schema', 'pg_catalog'])

const functionsSql = `
  SELECT p.oid, n.nspname AS schema, p.proname AS name, p.provolatile AS volatility, p.pronargs AS arguments,
         EXISTS (SELECT FROM pg_catalog.pg_depend d
                 WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') AS extension,
         CASE WHEN n.nspname NOT IN ('pg_catalog', 'information_schema') THEN p.prosqlbody::text END AS tree
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE p.oid = ANY ($1::oid[])
     OR p.oid IN (SELECT unnest(ARRAY[t.typinput::oid, t.typoutput::oid])
                  FROM pg_catalog.pg_type t WHERE t.oid = ANY ($2::oid[]))
  ORDER BY p.oid`

const relationsSql = `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, r.oid AS rule, r.ev_action::text AS tree
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid AND c.relkind = 'v' AND r.rulename = '_RETURN'
  WHERE c.oid = ANY ($1::oid[])
  ORDER BY n.nspname, c.relname`

const columnsSql = `
  SELECT d.refobjid AS relation, a.attname AS name
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = $1::regclass AND d.objid = $2 AND d.refclassid = 'pg_catalog.pg_class'::regclass
    AND d.refobjsubid > 0 AND NOT a.attisdropped
  ORDER BY d.refobjid, a.attnum`

/** A query tree, and the object whose dependencies name the columns in it. */
interface Body {
  readonly tree: string
  readonly class: 'pg_catalog.pg_proc' | 'pg_catalog.pg_rewrite'
  readonly object: number
}

/**
 * Follows a query, kept as a function's body, and the table or view that its documents' ids come from, through views and
 * functions with a parsed body down to tables. A materialized view is one of them: what it holds changes by a REFRESH
 * and by nothing else.
 */
export async function readQueryClosure(
  db: Queryable,
  query: { readonly oid: number; readonly tree: string },
  root: number,
): Promise<QueryClosure> {
  const relations = new Map<number, Relation>()
  const functions = new Map<number, QueryFunction>()
  const columns = new Map<number, Set<string> | null>()
  const bodies: Body[] = [{ tree: query.tree, class: 'pg_catalog.pg_proc', object: query.oid }]
  let readsClock = false
  let readsSession = false

  const visit = async (oids: readonly number[]): Promise<void> => {
    const fresh = oids.filter((oid) => !relations.has(oid))
    for (const relation of (await db.query<Relation>(relationsSql, [fresh])).rows) {
      relations.set(relation.oid, relation)
      if (relation.tree !== null && relation.rule !== null)
        bodies.push({ tree: relation.tree, class: 'pg_catalog.pg_rewrite', object: relation.rule })
    }
  }
  const named = readQueryTree(query.tree).relations
  await visit([...named, root])
  for (const body of bodies) {
    const node = readNodeTree(body.tree)
    readsClock ||= node.readsClock
    readsSession ||= node.constructs.includes('session value')
    const within = readQueryTree(body.tree).relations
    await visit(within)
    const used = await db.query<{ relation: number; name: string }>(columnsSql, [body.class, body.object])
    for (const relation of within) addColumns(columns, relation, used.rows, node.attributes.includes(0))

    const called = await db.query<QueryFunction>(functionsSql, [node.functions, node.convertedTypes])
    for (const one of called.rows) {
      if (functions.has(one.oid)) continue
      functions.set(one.oid, one)
      if (one.tree !== null) bodies.push({ tree: one.tree, class: 'pg_catalog.pg_proc', object: one.oid })
    }
  }
  return {
    names: named
      .flatMap((oid) => relations.get(oid) ?? [])
      .filter(({ schema }) => !system.has(schema))
      .map(({ schema, name }) => ({ schema, name })),
    reads: [...relations.values()].flatMap((relation) => readOf(relation, columns.get(relation.oid))),
    functions: [...functions.values()],
    readsClock,
    readsSession,
  }
}

/** A whole row (`to_json(line)`) is no dependency on its columns, and could be that of any table there. */
function addColumns(
  columns: Map<number, Set<string> | null>,
  relation: number,
  used: readonly { readonly relation: number; readonly name: string }[],
  wholeRows: boolean,
): void {
  const known = columns.get(relation)
  if (known === null) return
  const own = used.filter((column) => column.relation === relation).map(({ name }) => name)
  columns.set(relation, wholeRows ? null : new Set([...(known ?? []), ...own]))
}

function readOf({ schema, name, kind }: Relation, columns: Set<string> | null | undefined): QueryRead[] {
  if (kind !== 'r' && kind !== 'p' && kind !== 'm' && kind !== 'f') return []
  return [{ schema, name, kind, columns: columns === null ? null : [...(columns ?? [])] }]
}
