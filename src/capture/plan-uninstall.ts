import { quoteIdentifier } from '../catalog/quote.ts'
import { suggest } from '../catalog/suggest.ts'
import { tableText } from '../catalog/table-name.ts'
import { FailedError, UsageError } from '../errors.ts'
import type { Queryable } from '../postgres/types.ts'
import { type Inventory, readInventory } from './inventory.ts'
import type { Step } from './steps.ts'

/** All that `uninstall` will do; no steps: there is nothing to do. */
export interface UninstallPlan {
  readonly steps: readonly Step[]
  readonly documents: readonly DocumentRemoval[]
  /** Drop our schema, too: nothing of sluice stays in the database. */
  readonly dropSchema: boolean
  readonly notes: readonly string[]
}

export interface DocumentRemoval {
  readonly document: string
  /** Quoted, with argument types. The triggers go with the functions they call. */
  readonly functions: readonly string[]
  readonly views: readonly string[]
  /** Watched tables, quoted. */
  readonly tables: readonly string[]
  /** In Elasticsearch; empty with --keep-indices. */
  readonly indices: readonly string[]
  readonly alias: string | null
}

export interface UninstallInput {
  readonly schema: string
  /** Null: everything. */
  readonly document: string | null
  /** Leave Elasticsearch as it is. */
  readonly keepIndices: boolean
}

/** Reads only. Throws a UsageError for an unknown document, a FailedError where others depend on our schema. */
export async function planUninstall(db: Queryable, input: UninstallInput): Promise<UninstallPlan> {
  const { schema, document, keepIndices } = input
  const inventory = await readInventory(db, schema)
  if (document !== null && !inventory.documents.has(document)) {
    throw new UsageError(
      `there is no document "${document}"${suggest(document, [...inventory.documents.keys()])}`,
      {
        remedy: 'sluice status lists those that are installed.',
      },
    )
  }
  if (!inventory.schemaExists) return { steps: [], documents: [], dropSchema: false, notes: [] }
  const dropSchema = document === null
  if (dropSchema) await refuseDependents(db, schema)
  const names = document === null ? [...inventory.documents.keys()] : [document]
  const documents = names.map((name) => removalOf(name, inventory, keepIndices))
  return {
    documents,
    dropSchema,
    steps: [
      ...documents.flatMap((removal) => stepsOf(removal, inventory)),
      ...(dropSchema
        ? [{ action: 'remove', document: null, what: `schema ${schema} with all it holds` } as const]
        : []),
    ],
    notes: [
      ...(await daemonNotes(db, schema, dropSchema)),
      ...(keepIndices ? keptNotes(names, inventory) : []),
    ],
  }
}

function removalOf(document: string, inventory: Inventory, keepIndices: boolean): DocumentRemoval {
  const own = <T extends { readonly document: string }>(items: readonly T[]) =>
    items.filter((item) => item.document === document)
  const indices = own(inventory.indices)
  return {
    document,
    functions: own(inventory.functions).map(({ signature }) => signature),
    views: own(inventory.views).map(({ name }) => name),
    tables: [
      ...new Set(
        own(inventory.triggers).map(
          ({ table }) => `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`,
        ),
      ),
    ],
    indices: keepIndices ? [] : indices.map(({ name }) => name),
    alias: keepIndices ? null : (indices[0]?.alias ?? null),
  }
}

function stepsOf(
  { document, functions, views, indices, alias }: DocumentRemoval,
  inventory: Inventory,
): Step[] {
  const triggers = inventory.triggers.filter((trigger) => trigger.document === document)
  return [
    ...triggers.map(({ name, table }) => `trigger ${name} on ${tableText(table)}`),
    ...functions.map((signature) => `function ${signature}`),
    ...views.map((view) => `view ${view}`),
    ...indices.map((name) => `index ${name} with all its documents`),
    ...(alias === null ? [] : [`alias ${alias} and its index template`]),
    `document ${document}, its marks and failures`,
  ].map((what) => ({ action: 'remove', document, what }))
}

/** DROP SCHEMA … CASCADE would take an application's view over our tables along. */
async function refuseDependents(db: Queryable, schema: string): Promise<void> {
  const { rows } = await db.query<{ dependent: string }>(
    `SELECT DISTINCT format('%I.%I', vn.nspname, v.relname) AS dependent
       FROM pg_class c
       JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_rewrite'::regclass
       JOIN pg_rewrite r ON r.oid = d.objid
       JOIN pg_class v ON v.oid = r.ev_class
       JOIN pg_namespace vn ON vn.oid = v.relnamespace
      WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND vn.nspname <> $1
      ORDER BY dependent`,
    [schema],
  )
  if (rows.length === 0) return
  const names = rows.map(({ dependent }) => dependent).join(', ')
  throw new FailedError(`views outside of schema ${schema} read from it: ${names}`, {
    remedy: 'Drop them first; nothing was changed.',
  })
}

async function daemonNotes(db: Queryable, schema: string, dropSchema: boolean): Promise<string[]> {
  const { rows } = await db.query<{ instance: string }>(
    `SELECT instance FROM ${quoteIdentifier(schema)}.sync_worker
      WHERE state <> 'stopped' AND seen_at > clock_timestamp() - interval '15 seconds' ORDER BY instance`,
  )
  if (rows.length === 0 || !dropSchema) return []
  const names = rows.map(({ instance }) => instance).join(', ')
  return [`sluice is running (${names}): stop it, for it will find no schema to work with`]
}

function keptNotes(names: readonly string[], { indices }: Inventory): string[] {
  return indices
    .filter(({ document }) => names.includes(document))
    .map(({ name, alias }) => `index ${name} (alias ${alias}) and its template stay`)
}
