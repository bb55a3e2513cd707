import { planDocuments } from '../capture/plan-documents.ts'
import { readCatalog } from '../catalog/read-catalog.ts'
import { suggest } from '../catalog/suggest.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { definitionHash } from '../documents/hash.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { SchemaError, UsageError } from '../errors.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { type InstalledDocument, readDocuments } from '../queue/read-documents.ts'
import type { CommandContext } from './context.ts'

/** The plan that a preview shows, and where it comes from. */
export interface ChosenPlan {
  readonly plan: DocumentPlan
  /** installed: its view is there; configuration: what install would make of it. */
  readonly from: 'installed' | 'configuration'
  readonly installed: InstalledDocument | null
}

/**
 * What the configuration says, if there is one: it is what one is working on. Where that is what is installed, the
 * installed plan, which a renamed column does not stop.
 */
export async function choosePlan(context: CommandContext, name: string): Promise<ChosenPlan> {
  const { schema, file } = await context.base()
  const definitions = file === null ? new Map<string, DocumentDefinition>() : await context.definitions()
  const documents = await readInstalled(context)
  const installed = documents.find((document) => document.name === name) ?? null
  const definition = definitions.get(name)
  if (definition === undefined && installed === null) {
    const names = [...new Set([...definitions.keys(), ...documents.map((document) => document.name)])]
    throw new UsageError(`there is no document "${name}"${suggest(name, names)}`, {
      remedy: names.length === 0 ? 'sluice init proposes some.' : `There are: ${names.join(', ')}.`,
    })
  }
  const same = definition === undefined || definitionHash(definition) === installed?.hash
  // A detached document has no view.
  if (installed !== null && same && installed.state !== 'detached') {
    return { plan: installed.plan, from: 'installed', installed }
  }
  if (definition === undefined) {
    throw new UsageError(`document "${name}" is detached, and the configuration does not have it`, {
      remedy: 'sluice install puts it back, from a configuration that has it.',
    })
  }
  return { plan: await planIn(context, schema, name, definition), from: 'configuration', installed }
}

/** Compiles a definition for a schema; nothing is created. */
export async function planIn(
  context: CommandContext,
  schema: string,
  name: string,
  definition: DocumentDefinition,
): Promise<DocumentPlan> {
  const pool = await context.pool()
  const plans = await inTransaction(pool, async (client) =>
    planDocuments(client, schema, await readCatalog(client), new Map([[name, definition]])),
  )
  const [plan] = plans
  if (plan === undefined) throw new Error(`${name} was not planned`)
  return plan
}

/** Before the first install there is no schema, and so no document. */
async function readInstalled(context: CommandContext): Promise<readonly InstalledDocument[]> {
  try {
    const { pool, schema } = await context.database()
    return await readDocuments(pool, schema)
  } catch (error) {
    if (error instanceof SchemaError && !error.final) return []
    throw error
  }
}
