import { type CreatedIndex, isOwnIndex, type Makers, signedMappings } from '../capture/document-index.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { FailedError } from '../errors.ts'

type Indices = Pick<
  Elasticsearch,
  'aliasTargets' | 'getMappings' | 'putMappings' | 'indexUuid' | 'refresh' | 'count' | 'deleteIndex'
>

/**
 * The index that an earlier attempt made for this alias and did not register, with what mappings it lacked; null: there is
 * none. A creation whose answer did not come in time is carried out all the same, perhaps after the next one has begun
 * (found by the crash test): of several, one is kept, and empty ones are dropped. Nobody has ever written to them, for
 * batches write to registered indices only.
 */
export async function leftIndex(
  elasticsearch: Indices,
  plan: DocumentPlan,
  alias: string,
  makers: Makers,
): Promise<(CreatedIndex & { readonly filled: boolean }) | null> {
  const { indices, concrete } = await elasticsearch.aliasTargets(alias)
  if (!concrete && indices.length === 0) return null
  const foreign = concrete ? [alias] : []
  for (const index of indices) if (!(await isOwnIndex(elasticsearch, index, makers))) foreign.push(index)
  if (foreign.length > 0) {
    const what = concrete ? 'is an index already' : `is an alias of ${foreign.join(', ')} already`
    throw new FailedError(`${alias} ${what}, which this sluice did not make for ${plan.document}`, {
      remedy: 'delete it if nobody needs it, then: sluice failed retry',
    })
  }
  const counted: { readonly name: string; readonly documents: number }[] = []
  for (const name of indices) {
    await elasticsearch.refresh(name)
    counted.push({ name, documents: await elasticsearch.count(name) })
  }
  const [kept, ...others] = counted.toSorted((a, b) => b.documents - a.documents)
  if (kept === undefined) return null
  for (const { name, documents } of others) if (documents === 0) await elasticsearch.deleteIndex(name)
  await elasticsearch.putMappings(kept.name, signedMappings(plan, makers[0]))
  const uuid = await elasticsearch.indexUuid(kept.name)
  if (uuid === null) throw new FailedError(`index ${kept.name} went away while it was being registered`)
  return { name: kept.name, uuid, filled: kept.documents > 0 }
}
