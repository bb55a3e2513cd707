import type pg from 'pg'
import { readCatalog } from '../catalog/read-catalog.ts'
import type { DocumentDefinition } from '../config/types.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError, SchemaError } from '../errors.ts'
import { readDatabaseName } from '../postgres/identity.ts'
import { checkSchema } from '../postgres/migrate.ts'
import type { Queryable } from '../postgres/types.ts'
import { checkPipeline } from './check-pipeline.ts'
import { checkTables } from './check-tables.ts'
import { type DocumentChange, documentChange, type ReindexAsked, stateNotes } from './document-change.ts'
import { makersOf } from './document-index.ts'
import { indexChanges } from './index-changes.ts'
import type { InstallPart } from './install-part.ts'
import { readInventory } from './inventory.ts'
import { laterColumnsText, readLaterColumns } from './later-columns.ts'
import { planDocuments } from './plan-documents.ts'
import { type ReadingProblem, readingProblems } from './reading-roles.ts'
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

export interface ReindexNeeded {
  readonly document: string
  readonly why: string
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
    const index = await indexChanges(
      elasticsearch,
      plan,
      inventory,
      makersOf(maker, inventory.formerNames),
      adopt,
    )
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
  const later = migrate ? [] : await readLaterColumns(client, schema)
  notes.push(...later.filter(({ document }) => definitions.has(document)).map(laterColumnsText))
  const part = await also?.plan(client, { migrate, plans, onRefused })
  const removed = [...inventory.documents.keys()].filter((name) => !definitions.has(name))
  notes.push(...removed.map(removedNote), ...(part?.notes ?? []))
  // A table's grant is what install gives the daemon's role.
  const hidden = reading.filter(({ missing }) => missing === 'rows')
  notes.push(
    ...hidden.map(({ document, what, remedy, advice }) =>
      [`${document}: ${what}. ${remedy}`, ...(advice === null ? [] : [advice])].join(', '),
    ),
  )
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
