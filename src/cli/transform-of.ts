import type { DocumentDefinition, Transform } from '../config/types.ts'
import { definitionHash } from '../documents/hash.ts'
import type { DocumentKey, DocumentPlan } from '../documents/types.ts'
import { transformDocuments } from '../sync/transform.ts'
import type { LoadedDocument } from '../sync/types.ts'
import type { CommandContext } from './context.ts'

/**
 * The configuration's function for an installed document: null where the plan has none, `unknown` where there is no
 * configuration, or another one than the installed.
 */
export async function transformOf(
  context: CommandContext,
  { name, plan, hash }: { readonly name: string; readonly plan: DocumentPlan; readonly hash: string },
): Promise<Transform | 'unknown' | null> {
  if (!plan.transform) return null
  const { file } = await context.base()
  const definitions = file === null ? new Map<string, DocumentDefinition>() : await context.definitions()
  const definition = definitions.get(name)
  return definition?.transform !== undefined && definitionHash(definition) === hash
    ? definition.transform
    : 'unknown'
}

/** A loaded row as it is indexed; `json` null and no problem: the function leaves it out. */
export async function transformed(
  document: string,
  transform: Transform | null,
  key: DocumentKey,
  loaded: LoadedDocument,
): Promise<LoadedDocument> {
  const transforming = transform === null ? null : { document, transform, over: () => false }
  const rows = new Map([[key.key, loaded]])
  const { documents, failures } = await transformDocuments(transforming, [key], rows)
  const [failure] = failures
  if (failure !== undefined) return { ...loaded, json: null, problem: failure.reason }
  return documents.get(key.key) ?? loaded
}

/** Said of a document that `transform` left out. */
export const LEFT_OUT = 'transform returns null, which leaves it out'

/** Said where there is no function to apply. */
export const NOT_AT_HAND =
  'the installed document has a transform, and the configuration at hand is not the one with it'
