import { isTenantPattern } from '../config/tenant-index.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError } from '../errors.ts'
import { isOwnIndex, type Makers } from './document-index.ts'
import type { InstalledIndex, Inventory } from './inventory.ts'
import { livingIndices, takesAnother } from './living-indices.ts'
import type { Step } from './steps.ts'
import { tenantChanges } from './tenant-changes.ts'
import { unknownIndexOf } from './unknown-index.ts'

/** What has to be done in Elasticsearch for one document. */
export interface IndexChanges {
  readonly steps: readonly Step[]
  /** No daemon can be writing to an index of these names: what guards them is new. */
  readonly first: boolean
  /** A physical index and its alias are to be created; `remove` first, what an interrupted install left. */
  readonly create: { readonly remove: string | null } | null
  /** Registered indices that are gone: their rows go, too. */
  readonly lost: readonly string[]
  /** Indices whose mappings get new fields. */
  readonly extend: readonly string[]
  /** Indices that get those of the new fields that they can have. */
  readonly extendWhere: readonly string[]
  /** Why it takes a reindex: a field or setting would have to change, or an index has the alias' name. Null: it does not. */
  readonly reindex: string | null
  readonly notes: readonly string[]
}

const none: IndexChanges = {
  steps: [],
  first: false,
  create: null,
  lost: [],
  extend: [],
  extendWhere: [],
  reindex: null,
  notes: [],
}

/**
 * Compares a document's index with what the plan wants. Reads only. Throws ConfigError where it cannot be done at all: the
 * name is taken, or would be another. `adopt`: an index that has the name of the alias is to be taken over by a reindex.
 * Without Elasticsearch, what it was asked for at the last install is taken for what is there.
 */
export async function indexChanges(
  elasticsearch: Elasticsearch | null,
  plan: DocumentPlan,
  inventory: Inventory,
  makers: Makers,
  adopt = false,
): Promise<IndexChanges> {
  if (isTenantPattern(plan.index))
    return { ...none, ...(await tenantChanges(elasticsearch, plan, inventory)) }
  const live = inventory.indices.find(({ document, role }) => document === plan.document && role === 'live')
  const previous = inventory.documents.get(plan.document)?.plan
  if (live === undefined || previous === undefined) {
    if (adopt && elasticsearch && (await elasticsearch.aliasTargets(plan.index)).concrete)
      return adoption(plan)
    return elasticsearch ? newIndex(elasticsearch, plan, inventory, makers) : createdIndex(plan)
  }
  if (live.alias !== plan.index) {
    throw takesAnother(
      plan,
      `index: the document is in ${live.alias}, and cannot move to ${plan.index} in place`,
    )
  }
  const own = inventory.indices.filter(({ document }) => document === plan.document)
  if (elasticsearch === null) return { ...none, ...(await livingIndices(null, plan, previous, own)) }
  const uuid = await elasticsearch.indexUuid(live.name)
  if (uuid === null) return lostIndex(elasticsearch, plan, inventory, makers, live)
  const notes = await aliasNotes(elasticsearch, plan, inventory, makers, live)
  return { ...none, ...(await livingIndices(elasticsearch, plan, previous, own)), notes }
}

async function newIndex(
  elasticsearch: Elasticsearch,
  plan: DocumentPlan,
  inventory: Inventory,
  makers: Makers,
): Promise<IndexChanges> {
  const remove = await leftover(elasticsearch, plan, inventory, makers)
  if (remove === null) return createdIndex(plan)
  const what = `index ${remove}, left by an interrupted install`
  const created = createdIndex(plan)
  const steps = [{ action: 'remove', document: plan.document, what } as const, ...created.steps]
  return { ...created, create: { remove }, steps }
}

/** No index is made: the reindex does, and batches wait for it. */
function adoption({ document, index }: DocumentPlan): IndexChanges {
  const what = `index ${index}-<time>-<random>, which takes the place and the name of the index ${index} when it is filled`
  const reindex = `${index} is an index, which is to be adopted`
  return { ...none, first: true, reindex, steps: [{ action: 'create', document, what }] }
}

function createdIndex({ document, index }: DocumentPlan): IndexChanges {
  const what = `index ${index}-<time>-<random> with alias ${index}`
  return { ...none, first: true, create: { remove: null }, steps: [{ action: 'create', document, what }] }
}

/** The name of the alias is free, or is an empty index that our own interrupted install left; or else ConfigError. */
async function leftover(
  elasticsearch: Elasticsearch,
  plan: DocumentPlan,
  inventory: Inventory,
  makers: Makers,
): Promise<string | null> {
  const where = `documents.${plan.document}.index`
  const { indices, concrete } = await elasticsearch.aliasTargets(plan.index)
  if (concrete) {
    throw new ConfigError(`${plan.index} is an index already, and sluice needs the name for its alias`, {
      where,
      remedy: `sluice reindex ${plan.document} --adopt builds a new index, which takes the place of this one in one request (a search under way at that moment may be answered 503). Or choose another name.`,
    })
  }
  const [only] = indices
  if (only === undefined) return null
  const owner = inventory.indices.find(({ alias }) => alias === plan.index)?.document
  if (owner !== undefined) {
    throw new ConfigError(`${plan.index} is the index of the installed document ${owner}`, {
      where,
      remedy: `Choose another name, or remove that document first: sluice uninstall ${owner}`,
    })
  }
  const own = indices.length === 1 && (await isOwnIndex(elasticsearch, only, makers))
  if (own && (await isEmpty(elasticsearch, only))) return only
  const whose = own
    ? 'which an earlier installation of this sluice left, with documents'
    : 'which this sluice did not make'
  throw new ConfigError(`the alias ${plan.index} exists and points to ${indices.join(', ')}, ${whose}`, {
    where,
    remedy: own
      ? `Delete it, and it is built anew from the rows: DELETE /${only}`
      : 'Choose another name, or delete what it points to if nobody needs it.',
  })
}

async function isEmpty(elasticsearch: Elasticsearch, index: string): Promise<boolean> {
  await elasticsearch.refresh(index)
  return (await elasticsearch.count(index)) === 0
}

async function lostIndex(
  elasticsearch: Elasticsearch,
  plan: DocumentPlan,
  inventory: Inventory,
  makers: Makers,
  live: InstalledIndex,
): Promise<IndexChanges> {
  const unknown = await unknownIndexOf(elasticsearch, plan.index, inventory.indices, makers)
  if (unknown !== null && !(await isEmpty(elasticsearch, unknown))) {
    const reindex = `its index ${live.name} is gone, and ${plan.index} points to ${unknown}, which sluice made for it and this database does not know: it was set back to before that. A daemon that works on it (sluice run) takes that index in, if it fits`
    return { ...none, reindex }
  }
  const others = { ...inventory, indices: inventory.indices.filter(({ name }) => name !== live.name) }
  const changes = await newIndex(elasticsearch, plan, others, makers)
  const lost = {
    action: 'remove',
    document: plan.document,
    what: `index ${live.name}, which is gone, from the list`,
  } as const
  return { ...changes, first: false, lost: [live.name], steps: [lost, ...changes.steps] }
}

async function aliasNotes(
  elasticsearch: Elasticsearch,
  plan: DocumentPlan,
  { indices }: Inventory,
  makers: Makers,
  live: InstalledIndex,
): Promise<readonly string[]> {
  const targets = await elasticsearch.aliasTargets(plan.index)
  if (targets.indices.includes(live.name)) return []
  const lost = `The alias ${plan.index} no longer points to ${live.name}, so searches do not see it.`
  const unknown = await unknownIndexOf(elasticsearch, plan.index, indices, makers)
  if (unknown !== null) {
    return [
      `${lost} It points to ${unknown}, which sluice made for it and this database does not know: it was set back to before that. A daemon takes it in (sluice run), or says why not.`,
    ]
  }
  const body = JSON.stringify({ actions: [{ add: { index: live.name, alias: plan.index } }] })
  return [`${lost} Put it back: POST /_aliases ${body}`]
}
