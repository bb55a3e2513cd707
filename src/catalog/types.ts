/** What the user's database looks like. Read once, then plain data: planning needs no connection. */

export interface TableName {
  readonly schema: string
  readonly name: string
}

export interface Column {
  readonly name: string
  /** As `format_type` prints it, schema-qualified where needed: `bigint`, `character varying(40)`, `geo.mood`. */
  readonly type: string
  /** Type the column comes down to: domains resolved, modifiers dropped: `text`, `int8`, `numeric`, `geo.mood`. */
  readonly baseType: BaseType
  readonly notNull: boolean
  /** Quoted name of its collation where it is not the database's: `pg_catalog."C"`. */
  readonly collation?: string
  readonly generated: 'no' | 'stored' | 'virtual'
  /** Columns a generated column is computed from; empty for others. */
  readonly generatedFrom: readonly string[]
}

export interface BaseType {
  /** `pg_type.typname` of the element type where it is an array, of the type itself otherwise: `int8`, `text`, `timestamptz`. */
  readonly name: string
  readonly schema: string
  readonly kind: 'base' | 'enum' | 'composite' | 'range' | 'multirange' | 'pseudo'
  readonly array: boolean
}

export interface Table extends TableName {
  readonly oid: number
  /** r ordinary, p partitioned, v view, m materialized view, f foreign. */
  readonly kind: 'r' | 'p' | 'v' | 'm' | 'f'
  readonly columns: readonly Column[]
  /** Columns of the primary key, in its order; empty without one. */
  readonly primaryKey: readonly string[]
  /** Column sets that are unique and not null, the primary key among them. */
  readonly uniqueKeys: readonly (readonly string[])[]
  /** Valid indexes over all rows that find rows by the values of columns. */
  readonly indexes: readonly TableIndex[]
  /** Foreign keys of the table to others, and to itself. */
  readonly foreignKeys: readonly ForeignKey[]
  /** Leaf partitions at any depth; empty unless partitioned. */
  readonly leaves: readonly TableName[]
  /** Tables that inherit from it or that it inherits from, without being partitions. */
  readonly inherits: boolean
  /** The partitioned table it is a direct partition of. */
  readonly partitionOf: TableName | null
  /** Emptied by a crash, without a mark. */
  readonly unlogged: boolean
  readonly rowSecurity: boolean
  /** Its rows come by logical replication: a subscription of this database fills it. */
  readonly subscribed: boolean
  /** pg_class.reltuples, or null when never analysed. */
  readonly estimatedRows: number | null
  readonly comment: string | null
}

export interface TableIndex {
  /** The key columns in their order, up to the first expression. */
  readonly columns: readonly string[]
  /** No two rows have the same values in `columns`, unless one of them is null. */
  readonly unique: boolean
}

export interface ForeignKey {
  /** Of the constraint. */
  readonly name: string
  readonly columns: readonly string[]
  readonly table: TableName
  /** Columns of `table`, in the order of `columns`. */
  readonly there: readonly string[]
}

/** What Postgres makes of an SQL snippet over one table. */
export interface ParsedSnippet {
  readonly sql: string
  readonly columns: readonly string[]
  readonly type: string
  readonly baseType: BaseType
  /** True when it uses now(), current_date and the like: time passes without a mark. */
  readonly dependsOnTime: boolean
  /** What Postgres accepts and an operator should know. */
  readonly warnings: readonly string[]
}

/** A database as planning sees it: tables by `schema.name`, snippets by `schema.name` and text. */
export interface Catalog {
  table(name: TableName): Table | undefined
  /** Tables of all user schemas, for suggestions and `init`. */
  readonly tables: readonly Table[]
  readonly serverVersion: number
}
