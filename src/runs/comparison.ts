/** What a comparison of rows and documents came to. */
export interface Comparison {
  /** Whether contents were compared, or ids alone. */
  readonly deep: boolean
  /** Rows that should have a document. */
  readonly rows: number
  /** Documents in the index (of all targets that were compared, together). */
  readonly documents: number
  /** Rows without a document. */
  readonly missing: number
  /** Documents whose content is not the row's; 0 unless `deep`. */
  readonly stale: number
  /** Documents without a row. */
  readonly extra: number
  /** A few of each kind. */
  readonly examples: readonly Difference[]
}

export interface Difference {
  readonly kind: 'missing' | 'stale' | 'extra'
  /** Physical index. */
  readonly index: string
  readonly id: string
  /** Key tuple; null for an `_id` that is no key of the document. */
  readonly key: string | null
  /** Of a stale document: paths of the fields that differ, a few. */
  readonly fields?: readonly string[]
}
