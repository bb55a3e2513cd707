import type { Queryable } from '../postgres/types.ts'
import { type ForeignKeyRow, foreignKeysSql, type IndexRow, indexesSql, isUserSchema } from './links-sql.ts'
import { resolveTypes } from './resolve-types.ts'
import type { BaseType, Catalog, Column, Table, TableName } from './types.ts'

const tablesSql = `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relrowsecurity AS row_security,
         c.relpersistence = 'u' AS unlogged, nullif(c.reltuples, -1) AS estimated_rows,
         EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = c.oid) AS subscribed,
         pg_catalog.obj_description(c.oid, 'pg_class') AS comment,
         CASE WHEN c.relispartition THEN parent.oid END AS parent,
         parent.oid IS NOT NULL AND NOT c.relispartition
           OR c.relkind <> 'p' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS inherits
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
    SELECT i.inhparent AS oid FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1
  ) parent ON true
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${isUserSchema}
  ORDER BY n.nspname, c.relname`

// PG 18 has NOT NULL constraints that are not yet validated: attnotnull is set, older rows may still be null.
const columnsSql = `
  SELECT a.attrelid AS relation, a.attname AS name, a.atttypid AS type_oid,
         pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated AS generated,
         (SELECT pg_catalog.format('%I.%I', ln.nspname, l.collname)
          FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
          WHERE l.oid = a.attcollation AND l.collprovider <> 'd') AS collation,
         a.attnotnull AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_constraint k
           WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated
         ) AS not_null,
         CASE WHEN a.attgenerated = '' THEN '{}' ELSE ARRAY(
           SELECT DISTINCT base.attname::text
           FROM pg_catalog.pg_attrdef d
           JOIN pg_catalog.pg_depend p ON p.classid = 'pg_catalog.pg_attrdef'::regclass AND p.objid = d.oid
            AND p.refclassid = 'pg_catalog.pg_class'::regclass AND p.refobjid = d.adrelid
           JOIN pg_catalog.pg_attribute base ON base.attrelid = d.adrelid AND base.attnum = p.refobjsubid
           WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND base.attnum NOT IN (0, a.attnum)
         ) END AS generated_from
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${isUserSchema} AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attrelid, a.attnum`

// An index being built CONCURRENTLY, or left invalid by a failed build, guarantees nothing.
const keysSql = `
  SELECT i.indrelid AS relation, i.indisprimary AS is_primary, ARRAY(
           SELECT a.attname::text
           FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE k.position <= i.indnkeyatts ORDER BY k.position
         ) AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${isUserSchema} AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  ORDER BY i.indrelid, i.indisprimary DESC, i.indexrelid`

const leavesSql = `
  WITH RECURSIVE tree (root, relation) AS (
    SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'p'
    UNION ALL
    SELECT t.root, i.inhrelid
    FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.relation AND NOT i.inhdetachpending
  )
  SELECT t.root, n.nspname AS schema, c.relname AS name
  FROM tree t
  JOIN pg_catalog.pg_class c ON c.oid = t.relation AND c.relkind <> 'p'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  ORDER BY t.root, n.nspname, c.relname`

interface TableRow {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: Table['kind']
  readonly row_security: boolean
  readonly unlogged: boolean
  readonly subscribed: boolean
  readonly estimated_rows: number | null
  readonly comment: string | null
  readonly parent: number | null
  readonly inherits: boolean
}

interface ColumnRow {
  readonly relation: number
  readonly name: string
  readonly type_oid: number
  readonly type: string
  readonly generated: string
  readonly collation: string | null
  readonly not_null: boolean
  readonly generated_from: readonly string[]
}

interface KeyRow {
  readonly relation: number
  readonly is_primary: boolean
  readonly columns: readonly string[]
}

interface LeafRow extends TableName {
  readonly root: number
}

/**
 * Reads what planning needs of all user schemas, in a few queries whatever the number of tables. Only pg_catalog
 * is read: no privilege on the tables is needed.
 */
export async function readCatalog(db: Queryable): Promise<Catalog> {
  const tables = (await db.query<TableRow>(tablesSql)).rows
  const columns = (await db.query<ColumnRow>(columnsSql)).rows
  const types = await resolveTypes(
    db,
    columns.map(({ type_oid }) => type_oid),
  )
  const keys = (await db.query<KeyRow>(keysSql)).rows
  const leaves = (await db.query<LeafRow>(leavesSql)).rows
  const indexes = (await db.query<IndexRow>(indexesSql)).rows
  const foreignKeys = (await db.query<ForeignKeyRow>(foreignKeysSql)).rows
  const version = await db.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  )
  const rows: CatalogRows = { tables, columns, types, keys, leaves, indexes, foreignKeys }
  return catalogOf(assemble(rows), version.rows[0]?.version ?? 0)
}

/** A catalog over tables that are known. */
export function catalogOf(tables: readonly Table[], serverVersion: number): Catalog {
  const byName = new Map(tables.map((table) => [nameKey(table), table]))
  return { tables, serverVersion, table: (name) => byName.get(nameKey(name)) }
}

interface CatalogRows {
  readonly tables: readonly TableRow[]
  readonly columns: readonly ColumnRow[]
  readonly types: ReadonlyMap<number, BaseType>
  readonly keys: readonly KeyRow[]
  readonly leaves: readonly LeafRow[]
  readonly indexes: readonly IndexRow[]
  readonly foreignKeys: readonly ForeignKeyRow[]
}

function assemble({ tables, columns, types, keys, leaves, indexes, foreignKeys }: CatalogRows): Table[] {
  const columnsOf = Map.groupBy(columns, ({ relation }) => relation)
  const keysOf = Map.groupBy(keys, ({ relation }) => relation)
  const leavesOf = Map.groupBy(leaves, ({ root }) => root)
  const indexesOf = Map.groupBy(indexes, ({ relation }) => relation)
  const foreignKeysOf = Map.groupBy(foreignKeys, ({ relation }) => relation)
  const byOid = new Map(tables.map((table) => [table.oid, table]))
  const rowsOf = new Map(tables.map((table) => [nameKey(table), table.estimated_rows]))
  return tables.map((row) => {
    const own = (columnsOf.get(row.oid) ?? []).flatMap((column) => columnOf(column, types))
    const notNull = new Set(own.filter((column) => column.notNull).map(({ name }) => name))
    const unique = (keysOf.get(row.oid) ?? []).filter((key) => key.columns.every((name) => notNull.has(name)))
    const parent = row.parent === null ? undefined : byOid.get(row.parent)
    const ownLeaves = (leavesOf.get(row.oid) ?? []).map(({ schema, name }) => ({ schema, name }))
    return {
      oid: row.oid,
      schema: row.schema,
      name: row.name,
      kind: row.kind,
      columns: own,
      primaryKey: unique.find(({ is_primary }) => is_primary)?.columns ?? [],
      uniqueKeys: unique.map((key) => key.columns),
      indexes: (indexesOf.get(row.oid) ?? []).flatMap(({ columns: leading, is_unique }) =>
        leading.length === 0 ? [] : [{ columns: leading, unique: is_unique }],
      ),
      foreignKeys: (foreignKeysOf.get(row.oid) ?? []).map((key) => ({
        name: key.name,
        columns: key.columns,
        table: { schema: key.schema, name: key.table },
        there: key.there,
      })),
      leaves: ownLeaves,
      inherits: row.inherits,
      partitionOf: parent === undefined ? null : { schema: parent.schema, name: parent.name },
      unlogged: row.unlogged,
      rowSecurity: row.row_security,
      subscribed: row.subscribed,
      estimatedRows: row.kind === 'p' ? sumOfLeaves(ownLeaves, rowsOf) : row.estimated_rows,
      comment: row.comment,
    }
  })
}

function columnOf(row: ColumnRow, types: ReadonlyMap<number, BaseType>): Column[] {
  const baseType = types.get(row.type_oid)
  // A type dropped between two of our queries took its column with it.
  if (baseType === undefined) return []
  const generated = row.generated === 's' ? 'stored' : row.generated === 'v' ? 'virtual' : 'no'
  const { name, type, not_null: notNull, generated_from: generatedFrom } = row
  const collation = row.collation === null ? {} : { collation: row.collation }
  return [{ name, type, baseType, notNull, ...collation, generated, generatedFrom }]
}

/** Autovacuum never analyses a partitioned table itself, only its leaves. */
function sumOfLeaves(
  leaves: readonly TableName[],
  rowsOf: ReadonlyMap<string, number | null>,
): number | null {
  const known = leaves.map((leaf) => rowsOf.get(nameKey(leaf)) ?? null).filter((rows) => rows !== null)
  return known.length === 0 ? null : known.reduce((sum, rows) => sum + rows, 0)
}

/** A name without ambiguity: identifiers may hold dots, but no NUL. */
function nameKey({ schema, name }: TableName): string {
  return `${schema}\0${name}`
}
