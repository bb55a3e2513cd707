/** What every drill ends with: all rows against all documents. */
export interface Figures {
  /** Rows that should have a document. */
  readonly documents: number
  readonly missing: number
  readonly stale: number
  readonly extra: number
}
