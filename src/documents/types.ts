import type { TableName } from '../catalog/types.ts'

/** One part of a key tuple. The key columns come first, then the address columns (tenant, routing). */
export interface KeyColumn {
  readonly name: string
  /** SQL type to cast a part's text back to: `bigint`, `geo.mood`. */
  readonly type: string
}

/**
 * A document definition compiled against the catalog: all that install creates and the daemon runs.
 * Stored as JSON in `sync_document.plan`; the daemon never plans again, so that a column renamed after
 * `install` (which views and parsed functions follow) does not stop it.
 */
export interface DocumentPlan {
  readonly document: string
  readonly table: TableName
  readonly key: readonly KeyColumn[]
  /**
   * Positions in `key`, in the order of the unique index that a walk rides. It is the order of `key`,
   * unless `id` names the index's columns in another order.
   */
  readonly walkOrder: readonly number[]
  /** Number of leading parts of a key tuple that make the `_id`; the rest is its address. */
  readonly idParts: number
  /**
   * Positions in `key` of what decides where a document is: the value that `{tenant}` in `index` stands for, and the
   * routing. Null where it has none. Both may be the same part, and a part of the id.
   */
  readonly address: { readonly tenant: number | null; readonly routing: number | null }
  /** Column of the root table that tells the tenant, whether or not an index is named by it. */
  readonly tenant?: string
  /** Name of the view that computes the documents, unquoted: `document_city`. Columns: key_1…key_n, key, document, problem. */
  readonly view: string
  /** `CREATE VIEW` statement for our schema. */
  readonly viewSql: string
  /**
   * Query for the current documents of some keys. Parameters: one text[] per part of the id, aligned.
   * Returns `n` (1-based position), `key` (current tuple), `document` (JSON text), `problem` (or null); no row for an absent
   * document. The current tuple differs from the one asked for where the document is at another address now.
   */
  readonly loadSql: string
  /** The function that `loadSql` calls, of a document that a query makes (`sql`). */
  readonly query?: QueryFunction
  /** Alias of the index, or its pattern with `{tenant}`, and its mappings and settings in full. */
  readonly index: string
  readonly mappings: Readonly<Record<string, unknown>>
  readonly settings: Readonly<Record<string, unknown>>
  /** Ingest pipeline, or null. */
  readonly pipeline: string | null
  /** The configuration has a function that changes each document. */
  readonly transform: boolean
  /** What has to be watched, the root table first: one entry for each part that a table has in the document. */
  readonly sources: readonly SourcePlan[]
  /** Indexes without which loading or expansion reads whole tables. */
  readonly missingIndexes: readonly MissingIndex[]
  /** Columns the document was frozen to, and those it leaves out (drift is seen against their union). */
  readonly columns: { readonly used: readonly string[]; readonly omitted: readonly string[] }
  readonly warnings: readonly string[]
}

/**
 * A query as a function in our schema, parsed when it is created: it follows renamed columns, and Postgres refuses to
 * drop what it reads, naming it (invariant 15).
 */
export interface QueryFunction {
  /** Unquoted. */
  readonly name: string
  /** Quoted, with argument types, without the schema: `"query_report"(pg_catalog.int8[])`. */
  readonly signature: string
  /** `CREATE FUNCTION` statement. */
  readonly sql: string
  /** What its text names: after a swap of tables the text is right and the function reads the old one. */
  readonly names: readonly TableName[]
}

export interface MissingIndex {
  readonly table: TableName
  readonly columns: readonly string[]
  /** What reads the whole table without it: `each change of geo.country`. */
  readonly why: string
  /** `CREATE INDEX CONCURRENTLY ON geo.city (country_code)` */
  readonly sql: string
}

/** One watched table of a document, in one of the parts it has there. */
export interface SourcePlan {
  /**
   * '' is the root table; a relation's path (`reviews`, `reviews.author`); of a table in between `languages:through`; of a
   * `dependsOn` the table's name.
   */
  readonly source: string
  readonly table: TableName
  /**
   * Columns whose values a mark carries: the key tuple of the root table; of a related one the columns that lead one level
   * up: a foreign key of its own (`review.city_id`), or what parents point to (`country.code`).
   */
  readonly key: readonly KeyColumn[]
  /** What tells the table's rows apart, so that an UPDATE's old and new rows can be paired. Empty: nothing does. */
  readonly rowKey: readonly KeyColumn[]
  /** How its marks become keys of documents; null: they are keys of documents. */
  readonly expansion: ExpansionPlan | null
  /** Columns whose change concerns the document, `key` and `rowKey` among them. */
  readonly usedColumns: readonly string[]
  /** True when an UPDATE can leave the document unchanged (some column is not used): compare images before marking. */
  readonly compare: boolean
  /** Row-level triggers, for partitioned tables and subscribers of logical replication. */
  readonly capture: 'statement' | 'row'
  /** ENABLE ALWAYS: its rows come by logical replication. */
  readonly always: boolean
  /** Leaves that need a TRUNCATE trigger of their own. */
  readonly leaves: readonly TableName[]
}

/**
 * From the values that a related table's mark carries to the documents they are in. A view, which follows renamed columns:
 * `link_1`…`link_n`, of the types in `links`, and `key`, the root's tuple as text. One row for each way from one to the other.
 */
export interface ExpansionPlan {
  /** Unquoted, in our schema. */
  readonly view: string
  readonly viewSql: string
  /** SQL types to cast a mark's parts to: those of the columns one level up. */
  readonly links: readonly string[]
}

/** A key as text, its parts and the `_id` made of them. */
export interface DocumentKey {
  readonly key: string
  /** Only parts of an address can be null. */
  readonly parts: readonly (string | null)[]
  readonly id: string
}
