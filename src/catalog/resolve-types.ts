import type { Queryable } from '../postgres/types.ts'
import type { BaseType } from './types.ts'

/** `pg_type.typtype`, domains excepted: they are resolved. */
const kinds: Readonly<Record<string, BaseType['kind']>> = {
  b: 'base',
  c: 'composite',
  e: 'enum',
  m: 'multirange',
  p: 'pseudo',
  r: 'range',
}

/**
 * Follows domains to what they are made of, and arrays to their elements, in any mixture and depth (a domain
 * over an array of a domain). True arrays are known by their subscript handler: `point` has an element type too.
 */
const resolveTypesSql = `
  WITH RECURSIVE walk (start, oid, is_array) AS (
    SELECT DISTINCT s.oid, s.oid, false FROM unnest($1::oid[]) AS s (oid)
    UNION ALL
    SELECT w.start, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END, w.is_array OR t.typtype <> 'd'
    FROM walk w JOIN pg_catalog.pg_type t ON t.oid = w.oid
    WHERE t.typtype = 'd' OR t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc
  )
  SELECT w.start, t.typname AS name, n.nspname AS schema, t.typtype AS kind, w.is_array
  FROM walk w
  JOIN pg_catalog.pg_type t ON t.oid = w.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype <> 'd' AND t.typsubscript <> 'pg_catalog.array_subscript_handler'::regproc`

interface TypeRow {
  readonly start: number
  readonly name: string
  readonly schema: string
  readonly kind: string
  readonly is_array: boolean
}

/** Type oids → what they come down to. */
export async function resolveTypes(
  db: Queryable,
  oids: Iterable<number>,
): Promise<ReadonlyMap<number, BaseType>> {
  const { rows } = await db.query<TypeRow>(resolveTypesSql, [[...new Set(oids)]])
  return new Map(
    rows.map(({ start, name, schema, kind, is_array }) => [
      start,
      { name, schema, kind: kinds[kind] ?? 'base', array: is_array },
    ]),
  )
}
