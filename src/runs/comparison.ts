/** What differs, by kind. */
export interface DifferenceCounts {
  /** Rows without a document. */
  readonly missing: number
  /** Documents whose content is not the row's; 0 unless `deep`. */
  readonly stale: number
  /** Documents without a row. */
  readonly extra: number
}

/** What a comparison of rows and documents came to. */
export interface Comparison extends DifferenceCounts {
  /** Whether contents were compared, or ids alone. */
  readonly deep: boolean
  /** How many rows and documents were chosen at random; null: all were looked at. */
  readonly sample: number | null
  /** Rows that should have a document. */
  readonly rows: number
  /** Documents in the index (of all targets that were compared, together). */
  readonly documents: number
  /** Documents that were written again between any two looks: nothing can be said of them, and nothing need be. */
  readonly changing: number
  /** A few of each kind. */
  readonly examples: readonly Difference[]
  /** What makes the result less than certain, and what an operator should know of it. */
  readonly warnings: readonly string[]
  /** What was left of them after a repair; absent where nothing was to be repaired. */
  readonly left?: DifferenceCounts & { readonly examples: readonly Difference[] }
}

export interface Difference {
  readonly kind: 'missing' | 'stale' | 'extra'
  /** Physical index; the alias where a tenant has none. */
  readonly index: string
  readonly id: string
  /** Key tuple; null for an `_id` that is no key of the document. */
  readonly key: string | null
  /** Of a stale document: paths of the fields that differ, a few; '' is the document as a whole. */
  readonly fields?: readonly string[]
  /** Why it differs, where that is known: a dead letter, a delete that is held back, an index that takes no writes. */
  readonly note?: string
}

export function differenceCount({ missing, stale, extra }: DifferenceCounts): number {
  return missing + stale + extra
}
