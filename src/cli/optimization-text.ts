import type { Optimization, OptimizedIndex } from '../runs/optimization.ts'
import { deletedShare } from '../runs/optimization.ts'
import { bytes, count, plural } from './format.ts'

/** What an optimize did, on one line: `1 of 2 indices merged: 1,204 deleted documents → 12, 3.4 MiB → 2.1 MiB, 9 segments → 4`. */
export function optimizationText({ indices, merged, threshold, before, after }: Optimization): string {
  if (merged === 0) {
    const share = `${(deletedShare(before) * 100).toFixed(1)} %`
    return `none of ${plural(indices, 'index', 'indices')} needed a merge: ${share} of the documents are deleted ones, fewer than ${threshold * 100} % of each`
  }
  const what = `${count(merged)} of ${plural(indices, 'index', 'indices')} merged`
  return `${what}: ${changeText(before, after)}`
}

/** One line for each index that was merged or could not be. */
export function optimizedLines({ changes, merged, failed }: Optimization): string[] {
  const more = merged + failed - changes.length
  return [...changes.map(changeLine), ...(more > 0 ? [`  and ${count(more)} more`] : [])]
}

function changeLine({ index, before, after, problem }: OptimizedIndex): string {
  return before === null || after === null
    ? `  ${index}: ${problem ?? 'failed'}`
    : `  ${index}: ${changeText(before, after)}`
}

function changeText(before: Optimization['before'], after: Optimization['before']): string {
  return [
    `${count(before.deleted)} deleted documents → ${count(after.deleted)}`,
    `${bytes(before.bytes)} → ${bytes(after.bytes)}`,
    `${plural(before.segments, 'segment', 'segments')} → ${count(after.segments)}`,
  ].join(', ')
}
