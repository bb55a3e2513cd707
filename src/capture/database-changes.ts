import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import { tableText } from '../catalog/table-name.ts'
import type { Catalog, TableName } from '../catalog/types.ts'
import type { DocumentPlan, SourcePlan } from '../documents/types.ts'
import { type CaptureFunction, changedByHand } from './capture-functions.ts'
import { type CaptureTrigger, NEW_ROWS, OLD_ROWS } from './capture-triggers.ts'
import { Changes } from './changes.ts'
import { compareQuery, compareView, viewsOf } from './compare-views.ts'
import type { InstalledTrigger, Inventory } from './inventory.ts'
import { fingerprint } from './names.ts'
import { type CaptureStatements, captureStatements } from './statements.ts'
import type { Step } from './steps.ts'

/** What has to be done in the database for one document. Empty lists: nothing. */
export interface DatabaseChanges {
  readonly steps: readonly Step[]
  /** Run under the session's own search_path: the configuration's SQL was parsed under it. */
  readonly views: readonly string[]
  readonly functions: readonly string[]
  /** Last, for they lock the table. */
  readonly triggers: readonly string[]
  /** Rows of sync_source, all of them. */
  readonly sources: readonly SourceRow[]
  /** The rows of sync_source differ from what is noted. */
  readonly sourcesChanged: boolean
  /** A trigger or what it calls was gone or off: changes may have gone by without a mark. */
  readonly missedChanges: boolean
  /** A table is watched that was not, or in another part: its changes up to now went by without a mark. */
  readonly sourcesAdded: boolean
  /** A view was gone or is another: documents may look different. */
  readonly viewChanged: boolean
}

export interface SourceRow {
  readonly source: string
  readonly relation: number
  readonly tableName: string
  readonly capture: 'statement' | 'row'
  readonly objects: {
    readonly views: readonly string[]
    readonly functions: readonly string[]
    readonly triggers: readonly { readonly table: string; readonly name: string }[]
  }
  readonly fingerprint: string
}

/** Compares what a document needs with what is there. Pure. */
export function databaseChanges(
  plan: DocumentPlan,
  schema: string,
  catalog: Catalog,
  inventory: Inventory,
): DatabaseChanges {
  const changes = new Changes(plan.document)
  const noted = inventory.sources.filter(({ document }) => document === plan.document)
  const oidOf = (table: TableName) => catalog.table(table)?.oid ?? 0
  const sources = plan.sources.map((source) => ({
    source,
    statements: captureStatements(plan, source, schema),
    known: noted.find((row) => row.source === source.source),
  }))
  const wanted = new Set<unknown>()

  // Where tables of the document have swapped names, a view reads none that is not the document's. (In a restored
  // database the noted oid is no table's.)
  const moved = noted.some(
    ({ source, relation }) =>
      catalog.tables.some(({ oid }) => oid === relation) &&
      plan.sources.some((of) => of.source === source && oidOf(of.table) !== relation),
  )
  for (const view of viewsOf(plan, oidOf)) wanted.add(compareView(changes, view, schema, inventory, moved))
  if (plan.query !== undefined) wanted.add(compareQuery(changes, plan, plan.query, schema, oidOf, inventory))
  for (const { source, statements, known } of sources) {
    for (const item of statements.functions) {
      // Of a table that was used whole none compares rows, until it gets a column that is not used.
      const had = known?.functions.includes(item.name) === true
      wanted.add(compareFunction(changes, item, oidOf(source.table), inventory, had))
    }
    for (const item of statements.triggers) {
      wanted.add(compareTrigger(changes, item, oidOf(item.table), inventory, known !== undefined))
    }
  }
  removeLeftovers(changes, plan.document, schema, inventory, wanted)

  const rows = sources.map(({ source, statements }) =>
    sourceRow(plan, source, statements, oidOf(source.table)),
  )
  const isNoted = (row: SourceRow) =>
    noted.some(
      (n) => n.source === row.source && n.relation === row.relation && n.fingerprint === row.fingerprint,
    )
  const isNew = !inventory.documents.has(plan.document)
  return {
    ...changes.result(),
    sources: rows,
    sourcesChanged: noted.length !== rows.length || !rows.every(isNoted),
    sourcesAdded: !isNew && sources.some(({ known }) => known === undefined),
  }
}

function compareFunction(
  changes: Changes,
  item: CaptureFunction,
  relation: number,
  inventory: Inventory,
  known: boolean,
): unknown {
  const takesRows = !item.signature.endsWith('()')
  const present = inventory.functions.find(
    ({ name, relation: of }) => name === item.name && of === (takesRows ? relation : 0),
  )
  const byHand = present !== undefined && changedByHand(present, item)
  if (present?.fingerprint === item.fingerprint && !byHand) return present
  const why = byHand ? ' (it was changed by hand)' : ''
  changes.step(present ? 'change' : 'create', `function ${item.name}${why}`)
  changes.functions.push(item.sql)
  if ((present === undefined && known) || byHand) changes.missed = true
  return present
}

function compareTrigger(
  changes: Changes,
  item: CaptureTrigger,
  relation: number,
  inventory: Inventory,
  known: boolean,
): unknown {
  const present = inventory.triggers.find((entry) => entry.name === item.name && entry.relation === relation)
  if (present !== undefined && isAsWanted(present, item)) return present
  const what = `trigger ${item.name} on ${tableText(item.table)}`
  if (present === undefined) changes.step('create', what)
  else changes.step('change', `${what}${whyChanged(present, item)}`)
  changes.triggers.push(item.sql)
  if (known) changes.missed = true
  return present
}

function whyChanged(present: InstalledTrigger, item: CaptureTrigger): string {
  if (!present.enabled) return ' (it was switched off)'
  if (present.limited) return ' (it fired for some rows only)'
  const replaced = present.type !== item.type
  return item.always && !present.always && !replaced ? ' (it did not fire for replicated rows)' : ''
}

function isAsWanted(present: InstalledTrigger, item: CaptureTrigger): boolean {
  return (
    present.enabled &&
    !present.limited &&
    (present.always || !item.always) &&
    present.function === item.function &&
    present.type === item.type &&
    present.oldRows === (item.oldRows ? OLD_ROWS : null) &&
    present.newRows === (item.newRows ? NEW_ROWS : null)
  )
}

/** What an earlier definition, a table that was swapped, or a detached partition left. */
function removeLeftovers(
  changes: Changes,
  document: string,
  schema: string,
  inventory: Inventory,
  wanted: ReadonlySet<unknown>,
): void {
  for (const trigger of inventory.triggers) {
    if (trigger.document !== document || wanted.has(trigger)) continue
    changes.step('remove', `trigger ${trigger.name} on ${tableText(trigger.table)}`)
    changes.triggers.push(`DROP TRIGGER ${quoteIdentifier(trigger.name)} ON ${quoteTable(trigger.table)}`)
  }
  for (const item of inventory.functions) {
    if (item.document !== document || wanted.has(item)) continue
    changes.step('remove', `function ${item.signature}`)
    // After the triggers that called it.
    changes.triggers.push(`DROP FUNCTION ${item.signature}`)
  }
  for (const { document: of, name } of inventory.views.filter((view) => !wanted.has(view))) {
    if (of !== document) continue
    changes.step('remove', `view ${name}`)
    changes.views.unshift(`DROP VIEW ${quoteTable({ schema, name })}`)
  }
}

function sourceRow(
  plan: DocumentPlan,
  source: SourcePlan,
  { functions, triggers }: CaptureStatements,
  relation: number,
): SourceRow {
  return {
    source: source.source,
    relation,
    tableName: quoteTable(source.table),
    capture: source.capture,
    objects: {
      views: [
        ...(source.source === '' ? [plan.view] : []),
        ...(source.expansion === null ? [] : [source.expansion.view]),
      ],
      functions: [
        ...functions.map(({ signature }) => signature),
        ...(plan.query === undefined ? [] : [plan.query.signature]),
      ],
      triggers: triggers.map(({ table, name }) => ({ table: quoteTable(table), name })),
    },
    fingerprint: fingerprint([...functions, ...triggers].map(({ sql }) => sql).join('\n')),
  }
}
