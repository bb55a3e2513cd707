import { tableText } from '../catalog/table-name.ts'
import type { Finding } from './findings.ts'
import { leavesOf, partsUsing, type Snapshot, type WatchedColumn, type WatchedDocument } from './watched.ts'

/** What became of a document's ground between two moments, told by oid and column number. Pure. */
export function compareSnapshots(
  document: WatchedDocument,
  before: Snapshot,
  after: Snapshot,
): readonly Finding[] {
  const table = tableFindings(document, before, after)
  const gone = after.columns.get(document.relation) === undefined
  return [
    ...lostObjects(document, before, after),
    ...table,
    ...(gone
      ? []
      : [...columnFindings(document, before, after), ...partitionFindings(document, before, after)]),
  ]
}

type Told = Omit<Finding, 'document' | 'where' | 'fields'> & { readonly fields?: readonly string[] }

function finding({ name }: WatchedDocument, { fields = [], ...rest }: Told): Finding {
  return { document: name, where: null, fields, ...rest }
}

/** View, functions and triggers that are gone, as one finding: a CASCADE takes several. */
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
      return now === undefined || !now.enabled
    })
    .map((trigger) => `trigger ${trigger.name} on ${tableText(trigger.table)}`)
  const findings: Finding[] = []
  if (views.length + functions.length > 0) {
    findings.push(
      finding(document, {
        effect: 'breaks',
        kind: 'lost',
        what: `it drops ${[...views, ...functions].join(', ')}: ${name} cannot be read, and each change marks all of it`,
        remedy: `Adapt the configuration and run sluice install at once after it; or sluice detach ${name} before it.`,
      }),
    )
  }
  if (triggers.length > 0) {
    findings.push(
      finding(document, {
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

function tableFindings(document: WatchedDocument, before: Snapshot, after: Snapshot): Finding[] {
  const { relation } = document
  const was = before.catalog.tables.find(({ oid }) => oid === relation)
  if (was === undefined) return []
  const is = after.catalog.tables.find(({ oid }) => oid === relation)
  if (is !== undefined && tableText(is) === tableText(was)) return []
  const swapped = after.catalog.table(was) !== undefined
  const name = tableText(was)
  if (swapped) {
    const old = is === undefined ? 'which is dropped' : `now ${tableText(is)}`
    return [
      finding(document, {
        effect: 'breaks',
        kind: 'table',
        what: `${name} is another table after it: triggers and documents follow the old one, ${old}`,
        remedy: 'Run sluice install right after it: it moves the triggers, and looks at every document.',
      }),
    ]
  }
  if (is === undefined) {
    return [
      finding(document, {
        effect: 'breaks',
        kind: 'table',
        what: `it drops ${name}`,
        remedy: `Remove the document first: sluice uninstall ${document.name}.`,
      }),
    ]
  }
  return [
    finding(document, {
      effect: 'changes',
      kind: 'table',
      what: `${name} is called ${tableText(is)} after it: sluice follows`,
      remedy: `State table: '${tableText(is)}' in the configuration and run sluice install.`,
    }),
  ]
}

function columnFindings(document: WatchedDocument, before: Snapshot, after: Snapshot): Finding[] {
  const { relation, plan, definition } = document
  const was = before.columns.get(relation) ?? new Map<number, WatchedColumn>()
  const is = after.columns.get(relation) ?? new Map<number, WatchedColumn>()
  const table = tableText(after.catalog.tables.find(({ oid }) => oid === relation) ?? plan.table)
  const used = (column: string) => plan.sources.some(({ usedColumns }) => usedColumns.includes(column))
  const changed = [...was].flatMap(([number, { name, type }]): Finding[] => {
    if (!used(name)) return []
    const fields = partsUsing(document, name)
    const now = is.get(number)
    if (now === undefined) {
      return [
        finding(document, {
          effect: 'breaks',
          kind: 'column',
          fields,
          what: `it drops ${table}.${name}, which the document uses`,
          remedy: 'Take it out of the configuration and run sluice install first.',
        }),
      ]
    }
    const findings: Finding[] = []
    if (now.name !== name) {
      findings.push(
        finding(document, {
          effect: 'changes',
          kind: 'column',
          fields,
          what: `${table}.${name} is called ${now.name} after it: sluice follows, and the document stays as it is`,
          remedy: `State ${now.name} in the configuration and run sluice install (the field may keep its name: { ${fields[0] ?? name}: '${now.name}' }).`,
        }),
      )
    }
    if (now.type !== type) {
      findings.push(
        finding(document, {
          effect: 'changes',
          kind: 'column',
          fields,
          what: `${table}.${now.name} becomes ${now.type}, it was ${type}`,
          remedy: 'Run sluice install after it.',
        }),
      )
    }
    return findings
  })
  if (definition.fields !== undefined) return changed
  const added = [...is].filter(([number]) => !was.has(number)).map(([, { name }]) => name)
  return added.length === 0
    ? changed
    : [
        ...changed,
        finding(document, {
          effect: 'changes',
          kind: 'column',
          fields: [],
          what: `${table} has ${added.join(', ')} more: the document has all columns of the day it was installed, and not yet ${added.length === 1 ? 'this one' : 'these'}`,
          remedy: `Run sluice install to add ${added.length === 1 ? 'it' : 'them'}, or leave ${added.length === 1 ? 'it' : 'them'} out with omit.`,
        }),
      ]
}

function partitionFindings(document: WatchedDocument, before: Snapshot, after: Snapshot): Finding[] {
  const was = leavesOf(before, document.relation)
  const is = leavesOf(after, document.relation)
  const existed = new Set(before.catalog.tables.map(({ oid }) => oid))
  const named = (leaves: readonly (readonly [number, { schema: string; name: string }])[]) =>
    leaves.map(([, leaf]) => tableText(leaf)).join(', ')
  const fresh = [...is].filter(([oid]) => !was.has(oid))
  const attached = fresh.filter(([oid]) => existed.has(oid))
  const created = fresh.filter(([oid]) => !existed.has(oid))
  const removed = [...was].filter(([oid]) => !is.has(oid))
  const findings: Finding[] = []
  if (attached.length > 0) {
    findings.push(
      finding(document, {
        effect: 'breaks',
        kind: 'partition',
        what: `it attaches ${named(attached)}: rows that are in there come without a mark`,
        remedy: `Run sluice install and sluice backfill ${document.name} after it.`,
      }),
    )
  }
  if (created.length > 0) {
    findings.push(
      finding(document, {
        effect: 'changes',
        kind: 'partition',
        what: `it adds ${named(created)}: all is noticed but a TRUNCATE of that partition alone`,
        remedy: 'Run sluice install after it.',
      }),
    )
  }
  if (removed.length > 0) {
    findings.push(
      finding(document, {
        effect: 'breaks',
        kind: 'partition',
        what: `it takes ${named(removed)} away: documents of their rows stay in the index`,
        remedy: `Delete the rows first, which marks them; or sluice detach ${document.name} before it and sluice install after it, which looks at every document.`,
      }),
    )
  }
  return findings
}
