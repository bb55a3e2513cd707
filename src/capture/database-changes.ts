import { quoteIdentifier, quoteLiteral, quoteTable } from '../catalog/quote.ts'
import { tableText } from '../catalog/table-name.ts'
import type { Catalog, TableName } from '../catalog/types.ts'
import type { DocumentPlan, QueryFunction, SourcePlan } from '../documents/types.ts'
import type { InstalledTrigger, Inventory } from './inventory.ts'
import { fingerprint, objectComment } from './names.ts'
import {
  type CaptureFunction,
  type CaptureStatements,
  type CaptureTrigger,
  captureStatements,
  NEW_ROWS,
  OLD_ROWS,
} from './statements.ts'
import type { Step } from './steps.ts'

/** What has to be done in the database for one document. Empty lists: nothing. */
export interface DatabaseChanges {
  readonly steps: readonly Step[]
  /** Run under the session's own search_path: the configuration's SQL was parsed under it. */
  readonly view: readonly string[]
  readonly functions: readonly string[]
  /** Last, for they lock the table. */
  readonly triggers: readonly string[]
  /** Rows of sync_source, all of them. */
  readonly sources: readonly SourceRow[]
  /** The rows of sync_source differ from what is noted. */
  readonly sourcesChanged: boolean
  /** A trigger or what it calls was gone or off: changes may have gone by without a mark. */
  readonly missedChanges: boolean
  /** The view was gone or is another: documents may look different. */
  readonly viewChanged: boolean
}

export interface SourceRow {
  readonly relation: number
  readonly tableName: string
  readonly capture: 'statement' | 'row'
  readonly objects: {
    readonly view: string
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
  const sources = plan.sources.map((source) => ({
    source,
    statements: captureStatements(plan, source, schema),
  }))
  const wanted = new Set<unknown>()
  const oidOf = (table: TableName) => catalog.table(table)?.oid ?? 0
  const isNew = !inventory.documents.has(plan.document)

  compareView(changes, plan, schema, oidOf(plan.table), inventory)
  if (plan.query !== undefined) wanted.add(compareQuery(changes, plan, plan.query, schema, oidOf, inventory))
  for (const { source, statements } of sources) {
    for (const item of statements.functions) {
      wanted.add(compareFunction(changes, item, oidOf(source.table), inventory))
    }
    for (const item of statements.triggers)
      wanted.add(compareTrigger(changes, item, oidOf(item.table), inventory))
  }
  removeLeftovers(changes, plan.document, inventory, wanted)

  const rows = sources.map(({ source, statements }) =>
    sourceRow(plan, source, statements, oidOf(source.table)),
  )
  const noted = inventory.sources.filter(({ document }) => document === plan.document)
  const sourcesChanged =
    noted.length !== rows.length ||
    rows.some((row) => !noted.some((n) => n.relation === row.relation && n.fingerprint === row.fingerprint))
  return { ...changes.result(), sources: rows, sourcesChanged, missedChanges: !isNew && changes.missed }
}

/** Collects what is to be done. */
class Changes {
  readonly #document: string
  readonly #steps: Step[] = []
  readonly view: string[] = []
  readonly functions: string[] = []
  readonly triggers: string[] = []
  missed = false

  constructor(document: string) {
    this.#document = document
  }

  step(action: Step['action'], what: string): void {
    this.#steps.push({ action, document: this.#document, what })
  }

  result() {
    const { view, functions, triggers } = this
    return { steps: this.#steps, view, functions, triggers, viewChanged: view.length > 0 }
  }
}

/** Dropped and created: CREATE OR REPLACE VIEW refuses other types. The daemon's next load waits for the commit. */
function compareView(
  changes: Changes,
  plan: DocumentPlan,
  schema: string,
  relation: number,
  inventory: Inventory,
): void {
  const present = inventory.views.find(({ name }) => name === plan.view)
  if (
    present?.document === plan.document &&
    present.fingerprint === fingerprint(plan.viewSql) &&
    present.relations.includes(relation)
  ) {
    return
  }
  const name = quoteTable({ schema, name: plan.view })
  changes.step(present ? 'change' : 'create', `view ${plan.view}`)
  changes.view.push(
    `DROP VIEW IF EXISTS ${name}`,
    plan.viewSql,
    `COMMENT ON VIEW ${name} IS ${quoteLiteral(objectComment(plan.document, plan.viewSql))}`,
  )
}

/** As with the view: the daemon's next load waits for the commit. */
function compareQuery(
  changes: Changes,
  { document }: DocumentPlan,
  query: QueryFunction,
  schema: string,
  oidOf: (table: TableName) => number,
  inventory: Inventory,
): unknown {
  const present = inventory.functions.find(({ name }) => name === query.name)
  const reads = present?.relations ?? []
  if (
    present?.document === document &&
    present.fingerprint === fingerprint(query.sql) &&
    query.names.every((table) => reads.includes(oidOf(table)))
  ) {
    return present
  }
  const qualified = `${quoteIdentifier(schema)}.${query.signature}`
  changes.step(present ? 'change' : 'create', `function ${query.name}`)
  changes.view.push(
    `DROP FUNCTION IF EXISTS ${present?.signature ?? qualified}`,
    query.sql,
    `REVOKE ALL ON FUNCTION ${qualified} FROM PUBLIC`,
    `COMMENT ON FUNCTION ${qualified} IS ${quoteLiteral(objectComment(document, query.sql))}`,
  )
  return present
}

function compareFunction(
  changes: Changes,
  item: CaptureFunction,
  relation: number,
  inventory: Inventory,
): unknown {
  const takesRows = !item.signature.endsWith('()')
  const present = inventory.functions.find(
    ({ name, relation: of }) => name === item.name && of === (takesRows ? relation : 0),
  )
  if (present?.fingerprint === item.fingerprint) return present
  changes.step(present ? 'change' : 'create', `function ${item.name}`)
  changes.functions.push(item.sql)
  if (present === undefined) changes.missed = true
  return present
}

function compareTrigger(
  changes: Changes,
  item: CaptureTrigger,
  relation: number,
  inventory: Inventory,
): unknown {
  const present = inventory.triggers.find((entry) => entry.name === item.name && entry.relation === relation)
  if (present !== undefined && isAsWanted(present, item)) return present
  const what = `trigger ${item.name} on ${tableText(item.table)}`
  if (present === undefined) changes.step('create', what)
  else changes.step('change', present.enabled ? what : `${what} (it was switched off)`)
  changes.triggers.push(item.sql)
  changes.missed = true
  return present
}

function isAsWanted(present: InstalledTrigger, item: CaptureTrigger): boolean {
  return (
    present.enabled &&
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
}

function sourceRow(
  plan: DocumentPlan,
  source: SourcePlan,
  { functions, triggers }: CaptureStatements,
  relation: number,
): SourceRow {
  return {
    relation,
    tableName: quoteTable(source.table),
    capture: source.capture,
    objects: {
      view: plan.view,
      functions: [
        ...functions.map(({ signature }) => signature),
        ...(plan.query === undefined ? [] : [plan.query.signature]),
      ],
      triggers: triggers.map(({ table, name }) => ({ table: quoteTable(table), name })),
    },
    fingerprint: fingerprint([...functions, ...triggers].map(({ sql }) => sql).join('\n')),
  }
}
