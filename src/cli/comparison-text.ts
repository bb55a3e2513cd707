import {
  type Comparison,
  type Difference,
  type DifferenceCounts,
  differenceCount,
} from '../runs/comparison.ts'
import { count, plural } from './format.ts'
import { table } from './table.ts'

/** `171,075 rows, 171,074 documents; 2 differences: 1 missing, 1 stale; none left after the repair` */
export function comparisonText({ sample, rows, documents, left, ...found }: Comparison): string {
  const held = `${plural(rows, 'row', 'rows')}, ${plural(documents, 'document', 'documents')}`
  const chosen = sample === null ? '' : ' chosen at random'
  const repaired = left === undefined ? '' : `; ${differencesText(left)} left after the repair`
  return `${held}${chosen}; ${differencesText(found)}${repaired}`
}

function differencesText(counts: DifferenceCounts): string {
  const total = differenceCount(counts)
  if (total === 0) return 'no differences'
  const kinds = (['missing', 'stale', 'extra'] as const)
    .filter((kind) => counts[kind] > 0)
    .map((kind) => `${count(counts[kind])} ${kind}`)
  return `${plural(total, 'difference', 'differences')}: ${kinds.join(', ')}`
}

/** Some of what differs, or is left of it, one line each; '' where nothing does. */
export function examplesText({ examples, left }: Comparison): string {
  const shown: readonly Difference[] = left?.examples ?? examples
  if (shown.length === 0) return ''
  return table(
    [{ head: '' }, { head: 'id' }, { head: 'index' }, { head: 'fields' }, { head: 'note' }],
    shown.map(({ kind, id, index, fields = [], note = '' }) => [
      kind,
      id,
      index,
      fields.map((path) => (path === '' ? '(all)' : path)).join(', '),
      note,
    ]),
  )
}
