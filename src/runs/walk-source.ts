import { quoteIdentifier, quoteLiteral, quoteTable } from '../catalog/quote.ts'
import { keyExpression, keyPart } from '../documents/key-sql.ts'
import type { DocumentPlan, KeyColumn } from '../documents/types.ts'

/** Where a walk finds its keys, as SQL texts over the alias `w`. */
export interface WalkSource {
  /** `FROM` item. */
  readonly from: string
  /**
   * The parts of the id, typed, in the order of the index that the walk rides: it sorts and compares by them.
   * Unique and never null.
   */
  readonly parts: readonly { readonly column: string; readonly type: string }[]
  /** The whole key tuple as text. */
  readonly key: string
}

/**
 * All documents: the view, which has the document's own `where` in it and follows renamed columns. Its expensive
 * columns are not asked for, so Postgres does not compute them, and walks the key's index alone.
 */
export function viewSource(plan: DocumentPlan, schema: string): WalkSource {
  return {
    from: `${quoteTable({ schema, name: plan.view })} w`,
    parts: walkParts(plan).map(({ type, position }) => ({ column: `w.key_${position + 1}`, type })),
    key: 'w.key',
  }
}

/**
 * The rows of the root table that `conditions` choose, whether they have a document or not: the document's own
 * `where` is left out on purpose. `--where 'expires_at < now()'` is how rows are found that stopped matching because
 * time passed, and those must lose their document; the view no longer shows them.
 */
export function tableSource(plan: DocumentPlan, conditions: readonly string[]): WalkSource {
  // A subquery over the one table, so that no name in a condition is ambiguous; each on lines of its own, so that
  // a comment at its end hides nothing.
  const condition = conditions.map((sql) => `(\n${sql}\n)`).join(' AND ')
  const parts = walkParts(plan).map(({ name, type }) => ({ column: `w.${quoteIdentifier(name)}`, type }))
  // A view may have rows without an id, which are no documents; of a table's key Postgres knows that.
  const present = parts.map(({ column }) => `${column} IS NOT NULL`).join(' AND ')
  return {
    from: `(SELECT w.* FROM (SELECT * FROM ${quoteTable(plan.table)} WHERE ${condition}) w WHERE ${present}) w`,
    parts,
    key: keyExpression(plan.key, 'w'),
  }
}

/** Without the address parts (tenant, routing), which may be null and are not needed to tell rows apart. */
function walkParts({ key, idParts, walkOrder }: DocumentPlan): readonly (KeyColumn & { position: number })[] {
  return walkOrder.flatMap((position) => {
    const column = key[position]
    return column === undefined || position >= idParts ? [] : [{ ...column, position }]
  })
}

/**
 * Marks the next rows after a key and says how far it came. One statement: keys never leave the server.
 * Parameters: $1 most keys, $2 document, $3 op, $4 run, $5 origin or null (this transaction), $6 keys in a mark, $7 target
 * or null (all), $8… parts of the last key, when `resumed`. Returns `count` and `last`, the parts of the last key as text.
 */
export function markChunkSql(source: WalkSource, schema: string, resumed: boolean): string {
  const order = source.parts.map(({ column }) => column).join(', ')
  const after = source.parts.map(({ type }, n) => `$${n + 8}::text::${type}`).join(', ')
  const texts = source.parts.map(({ column, type }) => keyPart(type, column)).join(', ')
  return `
    WITH chunk AS MATERIALIZED (
      SELECT row_number() OVER (ORDER BY ${order}) AS n, ${source.key} AS key, ARRAY[${texts}] AS parts
        FROM ${source.from}
       ${resumed ? `WHERE (${order}) > (${after})` : ''}
       ORDER BY ${order}
       LIMIT $1
    ), marks AS (
      INSERT INTO ${quoteIdentifier(schema)}.sync_queue (document, lane, op, run_id, origin, target, keys)
      SELECT $2, 1, $3, $4::bigint, coalesce($5::xid8, pg_current_xact_id()), $7::text, array_agg(r.key ORDER BY r.n)
        FROM chunk r
       GROUP BY (r.n - 1) / $6::int
       ORDER BY min(r.n)
    )
    SELECT (SELECT count(*) FROM chunk)::int AS count,
           (SELECT r.parts FROM chunk r ORDER BY r.n DESC LIMIT 1) AS last`
}

/**
 * Statement that lets a transaction see the operators of its key's types; null where pg_catalog has them. An extension (citext)
 * may stand in a schema that is not in this role's search_path: ORDER BY finds the type's order all the same, but `>` would
 * silently be that of text, and a walk that sorts by the one and goes on by the other leaves rows out.
 */
export function seeOperatorsSql(key: readonly Pick<KeyColumn, 'type'>[]): string | null {
  const schemas = key.flatMap(({ type }) => /^("(?:[^"]|"")+"|[^".]+)\./.exec(type)?.[1] ?? [])
  const foreign = [...new Set(schemas)].filter((schema) => schema !== 'pg_catalog')
  if (foreign.length === 0) return null
  return `SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
    nullif(pg_catalog.current_setting('search_path'), ''), ${quoteLiteral(foreign.join(', '))}), true)`
}
