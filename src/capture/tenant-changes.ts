import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import type { IndexChanges } from './index-changes.ts'
import type { Inventory } from './inventory.ts'
import { livingIndices, takesAnother } from './living-indices.ts'
import type { Step } from './steps.ts'

/**
 * What has to be done for a document with an index for each tenant. None is created here: the daemon makes one when the
 * tenant's first row comes, by the plan. Those that are there are compared and extended as a single one is; one that is
 * gone is forgotten, and made again for the rows that the backfill finds.
 */
export async function tenantChanges(
  elasticsearch: Pick<Elasticsearch, 'indexUuids' | 'getMappings'> | null,
  plan: DocumentPlan,
  { documents, indices }: Inventory,
): Promise<Partial<IndexChanges>> {
  const { document, index } = plan
  const previous = documents.get(document)?.plan
  if (previous === undefined) {
    const what = `index template for ${templatePattern(index)}; the daemon makes an index for each tenant when it comes`
    return { first: true, steps: [{ action: 'create', document, what }] }
  }
  if (previous.index !== index)
    throw takesAnother(
      plan,
      `index: the document is in ${previous.index}, and cannot move to ${index} in place`,
    )
  const live = indices.filter((each) => each.document === document && each.role === 'live')
  const present = await elasticsearch?.indexUuids(templatePattern(index))
  const there = live.filter(({ name }) => present?.has(name) !== false)
  const lost = live.filter((each) => !there.includes(each)).map(({ name }) => name)
  const others = indices.filter((each) => each.document === document && each.role !== 'live')
  const living = await livingIndices(elasticsearch, plan, previous, [...there, ...others])
  const forget = lost.map(
    (name): Step => ({ action: 'remove', document, what: `index ${name}, which is gone, from the list` }),
  )
  return { ...living, lost, steps: [...forget, ...living.steps] }
}
