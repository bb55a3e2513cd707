import type pg from 'pg'
import { readCatalog } from '../catalog/read-catalog.ts'
import type { Catalog } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { definitionHash } from '../documents/hash.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError, SchemaError } from '../errors.ts'
import { checkSchema } from '../postgres/migrate.ts'
import type { Queryable } from '../postgres/types.ts'
import type { InstalledDocument } from '../queue/read-documents.ts'
import { checkPipeline } from './check-pipeline.ts'
import { checkTables } from './check-tables.ts'
import { type DatabaseChanges, databaseChanges } from './database-changes.ts'
import { type Maker, readDatabaseName } from './document-index.ts'
import { type IndexChanges, indexChanges } from './index-changes.ts'
import type { InstallPart } from './install-part.ts'
import { type Inventory, readInventory } from './inventory.ts'
import { takesAnother } from './living-indices.ts'
import { lostPartitions } from './lost-partitions.ts'
import { planDocuments } from './plan-documents.ts'
import { type ReadingProblem, readingProblems } from './reading-roles.ts'
import { sameJson } from './same-json.ts'
import type { Step } from './steps.ts'

/** All that `install` will do. Plain data, made before anything is changed; no steps: there is nothing to do. */
export interface InstallPlan {
  readonly steps: readonly Step[]
  /** Our schema is missing or older than this program. */
  readonly migrate: boolean
  /** Documents that need something done. */
  readonly changes: readonly DocumentChange[]
  /** Documents of which nothing is done, for it takes a reindex. */
  readonly reindexes: readonly ReindexNeeded[]
  /** Aliases of all documents: their guard against accidental indices is put each time, without a step. */
  readonly aliases: readonly string[]
  /** For the operator: warnings of the plans, documents that are paused or no longer configured. */
  readonly notes: readonly string[]
  /** What the roles that read the tables may not see of them, as things stand. */
  readonly reading: readonly ReadingProblem[]
  /** Documents that are installed and no longer configured. */
  readonly removed: readonly string[]
  /** Of all documents of the configuration that can be installed. */
  readonly plans: readonly DocumentPlan[]
}

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

export interface ReindexNeeded {
  readonly document: string
  readonly why: string
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

export interface InstallInput {
  readonly schema: string
  readonly definitions: ReadonlyMap<string, DocumentDefinition>
  readonly elasticsearch: Elasticsearch
  /** False with --no-backfill: no run is requested. */
  readonly backfill: boolean
  /** What takes a reindex is done, too, and one is requested; default: it is told (`InstallPlan.reindexes`). */
  readonly reindex?: ReindexAsked
  /** This document alone; default: all. */
  readonly only?: string
  /** The schedules; without them, those installed are left as they are. */
  readonly also?: InstallPart
}

/** What planning needs: less than installing. */
export interface PlanInput extends Omit<InstallInput, 'elasticsearch'> {
  /** Null: the database alone is looked at. */
  readonly elasticsearch: Elasticsearch | null
  /** Told of each document (and schedule) that cannot be installed, which is then left out; default: the first is thrown. */
  readonly onRefused?: (document: string, error: ConfigError) => void
}

/** Compares the configuration with database and Elasticsearch. Reads only; throws where any document cannot be installed. */
export async function planInstall(client: pg.ClientBase, input: PlanInput): Promise<InstallPlan> {
  const { schema, definitions, elasticsearch, also } = input
  await elasticsearch?.info()
  const migrate = await needsMigration(client, schema)
  const catalog = await readCatalog(client)
  const inventory = await readInventory(client, schema)
  const database = await readDatabaseName(client)

  const aliases: string[] = []
  const changes: DocumentChange[] = []
  const reindexes: ReindexNeeded[] = []
  const notes: string[] = []
  const plans: DocumentPlan[] = []
  const reading: ReadingProblem[] = []
  const planOne = async (name: string, definition: DocumentDefinition) => {
    const [plan] = await planDocuments(client, schema, catalog, new Map([[name, definition]]))
    if (plan === undefined) return
    await checkTables(client, { plan, definition }, catalog, schema)
    if (elasticsearch) await checkPipeline(elasticsearch, plan)
    const maker = { schema, document: name, database }
    const adopt = input.reindex?.options.adopt === true
    const index = await indexChanges(elasticsearch, plan, inventory, maker, adopt)
    const change = documentChange(plan, definition, index, maker, catalog, inventory, input)
    notes.push(...plan.warnings, ...index.notes, ...stateNotes(change, inventory.documents.get(name)))
    if (!migrate) reading.push(...(await readingProblems(client, schema, catalog, plan)))
    aliases.push(plan.index)
    plans.push(plan)
    if (index.reindex !== null && input.reindex === undefined)
      reindexes.push({ document: name, why: index.reindex })
    else if (change.steps.length > 0) changes.push(change)
  }
  const onRefused = (name: string, error: unknown) => {
    if (input.onRefused === undefined || !(error instanceof ConfigError)) throw error
    input.onRefused(name, error)
  }
  for (const [name, definition] of definitions) {
    if (input.only !== undefined && name !== input.only) continue
    try {
      await planOne(name, definition)
    } catch (error) {
      onRefused(name, error)
    }
  }
  const part = await also?.plan(client, { migrate, plans, onRefused })
  const removed = [...inventory.documents.keys()].filter((name) => !definitions.has(name))
  notes.push(...removed.map(removedNote), ...(part?.notes ?? []))
  // A table's grant is what install gives the daemon's role.
  const hidden = reading.filter(({ missing }) => missing === 'rows')
  notes.push(...hidden.map(({ document, what, remedy }) => `${document}: ${what}. ${remedy}`))
  const schemaStep: Step = {
    action: inventory.schemaExists ? 'change' : 'create',
    document: null,
    what: `schema ${schema}: tables, functions and views of sluice`,
  }
  return {
    migrate,
    changes,
    reindexes,
    notes,
    reading,
    removed,
    plans,
    aliases,
    steps: [
      ...(migrate ? [schemaStep] : []),
      ...changes.flatMap((change) => change.steps),
      ...(part?.steps ?? []),
    ],
  }
}

function documentChange(
  plan: DocumentPlan,
  definition: DocumentDefinition,
  index: IndexChanges,
  maker: Maker,
  catalog: Catalog,
  inventory: Inventory,
  { schema, backfill, reindex }: PlanInput,
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

function stateNotes(
  { plan: { document }, activate }: DocumentChange,
  installed: InstalledDocument | undefined,
): string[] {
  return installed?.state === 'paused' && !activate
    ? [
        `${document} is paused (${installed.reason ?? 'no reason given'}) and stays so: sluice resume ${document}`,
      ]
    : []
}

function removedNote(name: string): string {
  return `${name} is installed and no longer in the configuration: its marks gather until it is removed (sluice uninstall ${name})`
}

async function needsMigration(db: Queryable, schema: string): Promise<boolean> {
  try {
    await checkSchema(db, schema)
    return false
  } catch (error) {
    if (error instanceof SchemaError && !error.final) return true
    throw error
  }
}
