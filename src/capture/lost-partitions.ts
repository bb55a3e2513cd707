import { tableText } from '../catalog/table-name.ts'
import type { Catalog } from '../catalog/types.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Inventory } from './inventory.ts'

/**
 * Whether a partition has been detached or dropped since the install: no trigger fires for its rows, and their documents
 * are left in the index. A renamed one is known by our trigger on it, which goes where the table goes. Pure.
 */
export function lostPartitions(
  installed: DocumentPlan,
  plan: DocumentPlan,
  catalog: Catalog,
  { triggers }: Inventory,
): boolean {
  const [was, is] = [leavesOf(installed), leavesOf(plan)]
  const gone = [...was.keys()].filter((name) => !is.has(name))
  const renamed = [...is].filter(([name, leaf]) => {
    const oid = catalog.table(leaf)?.oid
    const ours = triggers.some(({ document, relation }) => document === plan.document && relation === oid)
    return !was.has(name) && ours
  })
  return gone.length > renamed.length
}

const leavesOf = ({ sources }: DocumentPlan) =>
  new Map(sources.flatMap(({ leaves }) => leaves.map((leaf) => [tableText(leaf), leaf] as const)))
