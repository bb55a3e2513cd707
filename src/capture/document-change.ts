import type { Catalog } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { definitionHash } from '../documents/hash.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { isCaptureAlarm } from '../queue/capture-alarm.ts'
import type { InstalledDocument } from '../queue/read-documents.ts'
import { type DatabaseChanges, databaseChanges } from './database-changes.ts'
import type { Maker } from './document-index.ts'
import type { IndexChanges } from './index-changes.ts'
import type { Inventory } from './inventory.ts'
import { takesAnother } from './living-indices.ts'
import { lostPartitions } from './lost-partitions.ts'
import { sameJson } from './same-json.ts'
import type { Step } from './steps.ts'

/** What `install` does to one document. Plain data. */
export interface DocumentChange {
  readonly steps: readonly Step[]
  readonly plan: DocumentPlan
  readonly definition: DocumentDefinition
  readonly hash: string
  readonly database: DatabaseChanges
  readonly index: IndexChanges
  readonly maker: Maker
  /** The row of sync_document: whether it becomes active, whatever it was. */
  readonly activate: boolean
  /** Run to be requested, and why. */
  readonly run: RunWanted | null
}

/** A backfill fills an empty index; where there may be documents whose rows are gone, it takes a verify. */
export interface RunWanted {
  readonly kind: 'backfill' | 'verify' | 'reindex'
  readonly reason: string
  /** Of a reindex, which a user asks for. */
  readonly asked?: ReindexAsked
}

/** A reindex follows, and with it the new definition takes effect. */
export interface ReindexAsked {
  /** `sync_run.options`. */
  readonly options: { readonly keepMs?: number; readonly adopt?: boolean }
  readonly requestedBy: string
}

/** What makes the installed document the planned one. Throws ConfigError for another key, which would be another document. */
export function documentChange(
  plan: DocumentPlan,
  definition: DocumentDefinition,
  index: IndexChanges,
  maker: Maker,
  catalog: Catalog,
  inventory: Inventory,
  {
    schema,
    backfill,
    reindex,
  }: {
    readonly schema: string
    readonly backfill: boolean
    readonly reindex?: ReindexAsked
  },
): DocumentChange {
  const installed = inventory.documents.get(plan.document)
  if (installed) refuseOtherKey(installed.plan, plan, catalog)
  const database = databaseChanges(plan, schema, catalog, inventory)
  const gone = installed !== undefined && lostPartitions(installed.plan, plan, catalog, inventory)
  const run: RunWanted | null =
    reindex === undefined
      ? runWanted(installed, plan, database, index, gone)
      : { kind: 'reindex', reason: index.reindex ?? 'its definition changed', asked: reindex }
  // A pause by an operator stays. One for a view or function that was gone ends with its repair.
  const activate =
    installed === undefined ||
    installed.state === 'detached' ||
    database.missedChanges ||
    database.viewChanged
  const change = {
    plan,
    definition,
    hash: definitionHash(definition),
    database,
    index,
    maker,
    activate,
    run: backfill ? run : null,
  }
  return { ...change, steps: stepsOf(change, installed) }
}

/**
 * The `_id`s in the index are made of the key, and its address says where a document is. A renamed column makes the same
 * ones; another column, type or number of parts does not, and nothing would find the old documents again.
 */
function refuseOtherKey(before: DocumentPlan, after: DocumentPlan, catalog: Catalog): void {
  const columns = catalog.table(after.table)?.columns ?? []
  const same =
    before.idParts === after.idParts &&
    before.key.length === after.key.length &&
    before.key.every(({ name, type }, n) => {
      const wanted = after.key[n]
      return (
        wanted?.type === type && (wanted.name === name || !columns.some((column) => column.name === name))
      )
    })
  if (same) return
  const idOf = ({ key, idParts }: DocumentPlan) => key.slice(0, idParts)
  const what = sameJson(idOf(before), idOf(after))
    ? 'tenant, routing: documents are at other addresses'
    : 'id: the key is another, and with it every _id'
  throw takesAnother(after, what)
}

function runWanted(
  installed: InstalledDocument | undefined,
  plan: DocumentPlan,
  database: DatabaseChanges,
  index: IndexChanges,
  partitionGone: boolean,
): RunWanted | null {
  if (installed === undefined) return { kind: 'backfill', reason: 'installed' }
  if (index.create || index.lost.length > 0) return { kind: 'backfill', reason: 'its index was gone' }
  if (installed.state === 'detached') return { kind: 'verify', reason: 'it was detached' }
  if (database.missedChanges) return { kind: 'verify', reason: 'a trigger or function was gone or off' }
  if (partitionGone) return { kind: 'verify', reason: 'a partition is gone, and its documents may not be' }
  if (isCaptureAlarm(installed.alarm)) return { kind: 'verify', reason: 'changes could go by without a mark' }
  if (
    database.viewChanged ||
    database.sourcesAdded ||
    index.extend.length > 0 ||
    !sameJson(plan.mappings, installed.plan.mappings)
  ) {
    return { kind: 'verify', reason: 'its definition changed' }
  }
  return null
}

/** All steps of a document; none when it is as it should be. */
function stepsOf(
  { plan, hash, database, index, activate, run }: Omit<DocumentChange, 'steps'>,
  installed: InstalledDocument | undefined,
): Step[] {
  const document = plan.document
  const steps: Step[] = [...index.steps, ...database.steps]
  if (installed === undefined) steps.push({ action: 'create', document, what: `document ${document}` })
  else {
    const definition =
      installed.hash !== hash || !sameJson(forComparison(plan), forComparison(installed.plan))
    if (definition || database.sourcesChanged)
      steps.push({ action: 'change', document, what: `definition of ${document}` })
    if (activate && installed.state !== 'active') {
      steps.push({
        action: 'change',
        document,
        what: `state of ${document}: from ${installed.state} to active`,
      })
    }
    // What the mass-delete brake says stays until it is decided, or until the documents are others.
    if (installed.alarm !== null && (!installed.tripped || database.viewChanged || index.create))
      steps.push({ action: 'remove', document, what: `alarm: ${installed.alarm}` })
  }
  if (run && steps.length > 0) {
    const why = run.reason === 'installed' ? '' : `: ${run.reason}`
    steps.push({ action: 'request', document, what: `${run.kind} of ${document}${why}` })
  }
  return steps
}

/** A plan without what is for people only: a column that came later, and that the document leaves out, changes nothing. */
function forComparison({ warnings: _warnings, columns: { used }, ...plan }: DocumentPlan): object {
  return { ...plan, used }
}

/** What an operator has to know of a document that stays paused. */
export function stateNotes(
  { plan: { document }, activate }: DocumentChange,
  installed: InstalledDocument | undefined,
): string[] {
  return installed?.state === 'paused' && !activate
    ? [
        `${document} is paused (${installed.reason ?? 'no reason given'}) and stays so: sluice resume ${document}`,
      ]
    : []
}
