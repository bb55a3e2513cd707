import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError } from '../errors.ts'
import type { InstalledIndex } from './inventory.ts'
import { compareMappings, typeConflict } from './mapping-changes.ts'
import { sameJson } from './same-json.ts'
import type { Step } from './steps.ts'

/**
 * What makes living indices those of another plan. Throws ConfigError where none can become it in place: settings stay,
 * fields are only added. Without Elasticsearch, what it was asked for at the last install is taken for what is there.
 */
export async function livingIndices(
  elasticsearch: Pick<Elasticsearch, 'getMappings'> | null,
  plan: DocumentPlan,
  previous: DocumentPlan,
  live: readonly InstalledIndex[],
): Promise<{ readonly steps: readonly Step[]; readonly extend: readonly string[] }> {
  if (!sameJson(previous.settings, plan.settings)) {
    throw takesAnother(plan, 'settings: an index keeps the settings it was created with')
  }
  const change = compareMappings(previous.mappings, plan.mappings)
  if (change.kind === 'incompatible') throw takesAnother(plan, `mappings: ${change.problem}`)
  if (change.kind === 'same') return { steps: [], extend: [] }
  for (const { name } of live) {
    const conflict = elasticsearch && typeConflict(await elasticsearch.getMappings(name), plan.mappings)
    if (conflict !== null) throw takesAnother(plan, `mappings: ${conflict}`)
  }
  const [first] = live
  const of = live.length === 1 && first ? first.name : `${live.length} indices of ${plan.index}`
  const what = `mappings of ${of}: ${change.fields.join(', ')}`
  const extend = live.map(({ name }) => name)
  return { extend, steps: first ? [{ action: 'change', document: plan.document, what }] : [] }
}

/** What a living index cannot do. */
export function takesAnother(plan: DocumentPlan, why: string): ConfigError {
  return new ConfigError(`${why}, so the document needs a new index`, {
    where: `documents.${plan.document}`,
    remedy: `sluice uninstall ${plan.document}, then sluice install. Searches find nothing in between, until the backfill has run.`,
  })
}
