/**
 * Calls, as SQL, of the parsed functions over rows of a watched table. A row is passed as `n.*`, for a bare `n` would
 * mean a column of that name.
 */
export interface RowFunctions {
  /** What a mark carries of a row: the key of its document, or its link one level up (null: it belongs to nobody). */
  readonly key: (row: string) => string
  /** What tells rows of a related table apart; null where nothing does, or nobody asks. */
  readonly row: ((row: string) => string) | null
  /** Whether two rows differ in a used column; null where every column is used: then an UPDATE changes the document. */
  readonly changed: ((before: string, after: string) => string) | null
}
