import { tableText } from '../catalog/table-name.ts'
import { tableFindings } from './compare-tables.ts'
import { type Finding, findingOf } from './findings.ts'
import type { Snapshot, WatchedDocument } from './watched.ts'

/** What became of a document's ground between two moments, told by oid and column number. Pure. */
export function compareSnapshots(
  document: WatchedDocument,
  before: Snapshot,
  after: Snapshot,
): readonly Finding[] {
  return [
    ...lostObjects(document, before, after),
    ...document.tables.flatMap((table) => tableFindings(document, table, before, after)),
  ]
}

/** Views, functions and triggers that are gone, as one finding: a CASCADE takes several. */
function lostObjects(document: WatchedDocument, before: Snapshot, after: Snapshot): Finding[] {
  const { name } = document
  const views = lost(before.inventory.views, after.inventory.views, name).map((o) => `view ${o.name}`)
  const functions = lost(before.inventory.functions, after.inventory.functions, name).map(
    (o) => `function ${o.name}`,
  )
  const triggers = before.inventory.triggers
    .filter((trigger) => trigger.document === name && trigger.enabled)
    .filter((trigger) => {
      const now = after.inventory.triggers.find(
        (t) => t.name === trigger.name && t.relation === trigger.relation,
      )
      return now === undefined || !now.enabled || (trigger.always && !now.always)
    })
    .map((trigger) => `trigger ${trigger.name} on ${tableText(trigger.table)}`)
  const findings: Finding[] = []
  const effects = [
    ...(views.length > 0 ? [`${name} cannot be read`] : []),
    ...(functions.length > 0 ? ['each change marks all of it'] : []),
  ]
  if (effects.length > 0) {
    findings.push(
      findingOf(document, {
        effect: 'breaks',
        kind: 'lost',
        what: `it drops ${[...views, ...functions].join(', ')}: ${effects.join(', and ')}`,
        remedy: `Adapt the configuration and run sluice install at once after it; or sluice detach ${name} before it.`,
      }),
    )
  }
  if (triggers.length > 0) {
    findings.push(
      findingOf(document, {
        effect: 'breaks',
        kind: 'lost',
        what: `it drops or switches off ${triggers.join(', ')}: changes go unnoticed`,
        remedy: 'Run sluice install after it, which puts them back and looks at every document.',
      }),
    )
  }
  return findings
}

function lost<T extends { readonly document: string; readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
  document: string,
): T[] {
  return before.filter((o) => o.document === document && !after.some(({ name }) => name === o.name))
}
