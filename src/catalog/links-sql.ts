/** Condition on `pg_namespace n`. */
export const isUserSchema = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

/** Indexes that find rows by equal values: a BRIN or GIN index does not, or not row by row. */
export const indexesSql = `
  SELECT i.indrelid AS relation, i.indisunique AND i.indexprs IS NULL AS is_unique, ARRAY(
           SELECT a.attname::text
           FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE k.position <= i.indnkeyatts AND k.position < ALL (
             SELECT e.position FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS e (attnum, position) WHERE e.attnum = 0
           ) ORDER BY k.position
         ) AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname IN ('btree', 'hash')
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${isUserSchema} AND i.indisvalid AND i.indpred IS NULL
  ORDER BY i.indrelid, i.indexrelid`

/**
 * A foreign key to or of a partitioned table has a copy for each partition, whose parent it is. One with a PERIOD
 * (Postgres 18) compares by another operator than "=", and links no two rows by their values.
 */
export const foreignKeysSql = `
  SELECT k.conrelid AS relation, k.conname AS name, tn.nspname AS schema, t.relname AS table,
         ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, position)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.position) AS columns,
         ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, position)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.position) AS there
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  WHERE k.contype = 'f' AND k.conparentid = 0 AND ${isUserSchema} AND NOT EXISTS (
    SELECT FROM unnest(k.conpfeqop) AS q (oid) JOIN pg_catalog.pg_operator o ON o.oid = q.oid WHERE o.oprname <> '='
  )
  ORDER BY k.conrelid, k.conname`

export interface IndexRow {
  readonly relation: number
  readonly is_unique: boolean
  readonly columns: readonly string[]
}

export interface ForeignKeyRow {
  readonly relation: number
  readonly name: string
  /** The table that it refers to. */
  readonly schema: string
  readonly table: string
  readonly columns: readonly string[]
  readonly there: readonly string[]
}
