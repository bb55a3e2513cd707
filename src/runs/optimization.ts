import type { IndexSize } from '../elasticsearch/segments.ts'

/** What an optimize came to: `sync_run.result.optimize`. */
export interface Optimization {
  /** Share of deleted documents from which an index was merged. */
  readonly threshold: number
  /** Live indices looked at so far. */
  readonly indices: number
  readonly merged: number
  /** Those that could not be looked at or merged; they are in no size. */
  readonly failed: number
  /** All that were looked at, together. */
  readonly before: IndexSize
  readonly after: IndexSize
  /** Those that were merged or failed, one by one; the first MOST_CHANGES. */
  readonly changes: readonly OptimizedIndex[]
}

export interface OptimizedIndex {
  /** Physical index. */
  readonly index: string
  readonly before: IndexSize | null
  readonly after: IndexSize | null
  /** Why it failed. */
  readonly problem: string | null
}

/** There may be thousands of tenants, and the row is written again for each. */
const MOST_CHANGES = 100

const NOTHING: IndexSize = { documents: 0, deleted: 0, bytes: 0, segments: 0 }

/** Before the first index. */
export function noneOptimized(threshold: number): Optimization {
  return { threshold, indices: 0, merged: 0, failed: 0, before: NOTHING, after: NOTHING, changes: [] }
}

/** Adds an index that was merged, or one that needed no merge: then it is as it was before. */
export function withIndex(
  all: Optimization,
  index: string,
  { before, after }: { readonly before: IndexSize; readonly after: IndexSize },
  merged: boolean,
): Optimization {
  return {
    ...all,
    indices: all.indices + 1,
    merged: all.merged + (merged ? 1 : 0),
    before: sum(all.before, before),
    after: sum(all.after, after),
    changes: merged ? withChange(all.changes, { index, before, after, problem: null }) : all.changes,
  }
}

export function withFailure(all: Optimization, index: string, problem: string): Optimization {
  return {
    ...all,
    indices: all.indices + 1,
    failed: all.failed + 1,
    changes: withChange(all.changes, { index, before: null, after: null, problem }),
  }
}

/** Share of an index' documents that are deleted, 0 to 1. */
export function deletedShare({ documents, deleted }: IndexSize): number {
  return deleted === 0 ? 0 : deleted / (documents + deleted)
}

function withChange(changes: readonly OptimizedIndex[], change: OptimizedIndex): readonly OptimizedIndex[] {
  return changes.length < MOST_CHANGES ? [...changes, change] : changes
}

function sum(a: IndexSize, b: IndexSize): IndexSize {
  return {
    documents: a.documents + b.documents,
    deleted: a.deleted + b.deleted,
    bytes: a.bytes + b.bytes,
    segments: a.segments + b.segments,
  }
}
