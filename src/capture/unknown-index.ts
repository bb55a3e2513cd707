import { isTenantPattern, tenantOfAlias } from '../config/tenant-index.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { flatSettings } from '../elasticsearch/indices.ts'
import type { KnownIndex } from '../queue/known-indices.ts'
import { indexHash, isOwnIndex, type Makers } from './document-index.ts'
import { missingFields, sameFields, typeConflict } from './mapping-changes.ts'

/**
 * Indices that sluice made and this database does not know. It was set back to before they were made: its alias points to
 * the index of a reindex that never was, or a tenant has an index and never came.
 */

/** What aliases of a document point to that the database does not know, whoever made it. Pure. */
export function unknownAliases(
  pattern: string,
  aliases: ReadonlyMap<string, readonly string[]>,
  known: readonly KnownIndex[],
): readonly { readonly index: string; readonly alias: string }[] {
  const isOurs = (alias: string) =>
    isTenantPattern(pattern) ? tenantOfAlias(pattern, alias) !== undefined : alias === pattern
  return [...aliases].flatMap(([index, names]) =>
    isInUse(known, index) ? [] : names.filter(isOurs).map((alias) => ({ index, alias })),
  )
}

/** The index that an alias points to, that and nothing else, if it is ours and not known; or null. */
export async function unknownIndexOf(
  elasticsearch: Pick<Elasticsearch, 'aliasTargets' | 'getMappings'>,
  alias: string,
  known: readonly KnownIndex[],
  makers: Makers,
): Promise<string | null> {
  const { indices, concrete } = await elasticsearch.aliasTargets(alias)
  const [only, ...others] = indices
  if (concrete || only === undefined || others.length > 0 || isInUse(known, only)) return null
  return (await isOwnIndex(elasticsearch, only, makers)) ? only : null
}

/** A retired one is written to no more: a reindex was given up that in truth had moved its alias. */
function isInUse(known: readonly KnownIndex[], index: string): boolean {
  return known.some(({ name, role }) => name === index && role !== 'retired')
}

/** Whether an index can be written to by a plan: null, and what it lacks; or why not. */
export async function fitOf(
  elasticsearch: Pick<Elasticsearch, 'getMappings' | 'getSettings'>,
  index: string,
  plan: DocumentPlan,
): Promise<
  { readonly missing: Record<string, unknown> | null; readonly hash: string } | { readonly misfit: string }
> {
  const mappings = await elasticsearch.getMappings(index)
  const misfit = typeConflict(mappings, plan.mappings)
  if (misfit !== null) return { misfit }
  const missing = missingFields(mappings, plan.mappings)
  const settings = await elasticsearch.getSettings(index)
  const asked = Object.entries(flatSettings(plan.settings))
  const same =
    sameFields(mappings, plan.mappings) &&
    asked.every(([name, value]) => String(settings[name]) === String(value))
  // Of another definition, as far as one can tell: install says that a reindex is due.
  return { missing, hash: same ? indexHash(plan) : '' }
}
