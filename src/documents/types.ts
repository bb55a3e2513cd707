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
  /** Name of the view that computes the documents, unquoted: `document_city`. Columns: key_1…key_n, key, document, problem. */
  readonly view: string
  /** `CREATE VIEW` statement for our schema. */
  readonly viewSql: string
  /**
   * Query for the current documents of some keys. Parameters: one text[] per key part, aligned.
   * Returns `n` (1-based position), `key` (current tuple), `document` (JSON text), `problem` (or null); no row for an absent document.
   */
  readonly loadSql: string
  /** Alias of the index, and its mappings and settings in full. */
  readonly index: string
  readonly mappings: Readonly<Record<string, unknown>>
  readonly settings: Readonly<Record<string, unknown>>
  /** What has to be watched: one entry per table. */
  readonly sources: readonly SourcePlan[]
  /** Columns the document was frozen to, and those it leaves out (drift is seen against their union). */
  readonly columns: { readonly used: readonly string[]; readonly omitted: readonly string[] }
  readonly warnings: readonly string[]
}

/** One watched table of a document. */
export interface SourcePlan {
  /** Relation path; '' is the root table. */
  readonly source: string
  readonly table: TableName
  readonly key: readonly KeyColumn[]
  /** Columns whose change concerns the document, the key among them. */
  readonly usedColumns: readonly string[]
  /** True when an UPDATE can leave the document unchanged (some column is not used): compare images before marking. */
  readonly compare: boolean
  /** Row-level triggers, for partitioned tables. */
  readonly capture: 'statement' | 'row'
  /** Leaves that need a TRUNCATE trigger of their own. */
  readonly leaves: readonly TableName[]
}

/** A key as text, its parts and the `_id` made of them. */
export interface DocumentKey {
  readonly key: string
  readonly parts: readonly string[]
  readonly id: string
}
