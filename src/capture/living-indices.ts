import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError } from '../errors.ts'
import { indexHash } from './document-index.ts'
import type { InstalledIndex } from './inventory.ts'
import { compareMappings, typeConflict } from './mapping-changes.ts'
import { sameJson } from './same-json.ts'
import type { Step } from './steps.ts'

export interface LivingChanges {
  readonly steps: readonly Step[]
  /** Indices whose mappings get new fields. */
  readonly extend: readonly string[]
  /** Indices that get those of the new fields that they can have: they are not searched, or not for long. */
  readonly extendWhere: readonly string[]
  /** Why none of them can become what is wanted, so that it takes a reindex; null: they can, or are it. */
  readonly reindex: string | null
}

/**
 * What makes living indices those of another plan: settings stay, fields are only added. Without Elasticsearch, what it was
 * asked for at the last install is taken for what is there.
 *
 * @param indices all of the document that are written to, whatever their role
 */
export async function livingIndices(
  elasticsearch: Pick<Elasticsearch, 'getMappings'> | null,
  plan: DocumentPlan,
  previous: DocumentPlan,
  indices: readonly InstalledIndex[],
): Promise<LivingChanges> {
  const nothing = { steps: [], extend: [], extendWhere: [], reindex: null }
  const live = indices.filter(({ role }) => role === 'live')
  const others = indices.filter(({ role }) => role === 'kept' || role === 'building').map(({ name }) => name)
  const hash = indexHash(plan)
  // Also after a rollback, when the configuration is that of the index which is live again.
  if (live.length > 0 && live.every((index) => index.hash === hash)) return nothing
  // A reindex is under way that makes them.
  if (indices.some((index) => index.role === 'building' && index.hash === hash)) return nothing
  const takes = (why: string): LivingChanges => ({
    ...nothing,
    reindex: why,
    extendWhere: [...live.map(({ name }) => name), ...others],
  })

  if (!sameJson(previous.settings, plan.settings)) {
    return takes('settings: an index keeps the settings it was created with')
  }
  const change = compareMappings(previous.mappings, plan.mappings)
  if (change.kind === 'incompatible') return takes(`mappings: ${change.problem}`)
  if (change.kind === 'same') {
    return live.length > 0 && sameJson(previous.mappings, plan.mappings)
      ? takes('its index was made for another definition: a reindex was undone, or not finished')
      : nothing
  }
  for (const { name } of live) {
    const conflict = elasticsearch && typeConflict(await elasticsearch.getMappings(name), plan.mappings)
    if (conflict !== null) return takes(`mappings: ${conflict}`)
  }
  const [first] = live
  const of = live.length === 1 && first ? first.name : `${live.length} indices of ${plan.index}`
  const what = `mappings of ${of}: ${change.fields.join(', ')}`
  const extend = live.map(({ name }) => name)
  const steps = first ? [{ action: 'change', document: plan.document, what } as const] : []
  return { extend, extendWhere: others, steps, reindex: null }
}

/** What even a reindex cannot do: other names, or documents under other `_id`s. */
export function takesAnother(plan: DocumentPlan, why: string): ConfigError {
  return new ConfigError(`${why}, so the document needs a new index`, {
    where: `documents.${plan.document}`,
    remedy: `sluice uninstall ${plan.document}, then sluice install. Searches find nothing in between, until the backfill has run.`,
  })
}
