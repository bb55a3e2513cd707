import { isRecord } from '../documents/merge.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError } from '../errors.ts'
import type { InstalledIndex, Inventory } from './inventory.ts'
import { compareMappings, typeConflict } from './mapping-changes.ts'
import { sameJson } from './same-json.ts'
import type { Step } from './steps.ts'

/** Who made an index: written to the `_meta` of its mappings, so that what an interrupted install left is known again. */
export interface Maker {
  readonly schema: string
  readonly document: string
  /** System identifier and name of the database. */
  readonly database: string
}

/** What has to be done in Elasticsearch for one document. */
export interface IndexChanges {
  readonly steps: readonly Step[]
  /** A physical index and its alias are to be created; `remove` first, what an interrupted install left. */
  readonly create: { readonly remove: string | null } | null
  /** Registered index that is gone: its row goes, too. */
  readonly lost: string | null
  /** Index whose mappings get new fields. */
  readonly extend: string | null
  readonly notes: readonly string[]
}

const none: IndexChanges = { steps: [], create: null, lost: null, extend: null, notes: [] }

/**
 * Compares a document's index with what the plan wants. Reads only. Throws ConfigError where it cannot be done in
 * place: the name is taken, or a field, setting or key would have to change (a living index only gains fields).
 * Without Elasticsearch, what it was asked for at the last install is taken for what is there.
 */
export async function indexChanges(
  elasticsearch: Elasticsearch | null,
  plan: DocumentPlan,
  inventory: Inventory,
  maker: Maker,
): Promise<IndexChanges> {
  const live = inventory.indices.find(({ document, role }) => document === plan.document && role === 'live')
  const previous = inventory.documents.get(plan.document)?.plan
  if (live === undefined || previous === undefined) {
    return elasticsearch ? newIndex(elasticsearch, plan, inventory, maker) : createdIndex(plan)
  }
  if (live.alias !== plan.index) {
    throw takesAnother(
      plan,
      `index: the document is in ${live.alias}, and cannot move to ${plan.index} in place`,
    )
  }
  if (elasticsearch === null) return sameIndex(null, plan, previous, live)
  const uuid = await elasticsearch.indexUuid(live.name)
  if (uuid === null) return lostIndex(elasticsearch, plan, inventory, maker, live)
  const { indices } = await elasticsearch.aliasTargets(plan.index)
  const notes = indices.includes(live.name) ? [] : [lostAlias(plan, live)]
  return { ...(await sameIndex(elasticsearch, plan, previous, live)), notes }
}

async function newIndex(
  elasticsearch: Elasticsearch,
  plan: DocumentPlan,
  inventory: Inventory,
  maker: Maker,
): Promise<IndexChanges> {
  const remove = await leftover(elasticsearch, plan, inventory, maker)
  if (remove === null) return createdIndex(plan)
  const what = `index ${remove}, left by an interrupted install`
  const created = createdIndex(plan)
  const steps = [{ action: 'remove', document: plan.document, what } as const, ...created.steps]
  return { ...created, create: { remove }, steps }
}

function createdIndex({ document, index }: DocumentPlan): IndexChanges {
  const what = `index ${index}-<time>-<random> with alias ${index}`
  return { ...none, create: { remove: null }, steps: [{ action: 'create', document, what }] }
}

/** The name of the alias is free, or is an empty index that our own interrupted install left; or else ConfigError. */
async function leftover(
  elasticsearch: Elasticsearch,
  plan: DocumentPlan,
  inventory: Inventory,
  maker: Maker,
): Promise<string | null> {
  const where = `documents.${plan.document}.index`
  const { indices, concrete } = await elasticsearch.aliasTargets(plan.index)
  if (concrete) {
    throw new ConfigError(`${plan.index} is an index already, and sluice needs the name for its alias`, {
      where,
      remedy: 'Choose another name, or delete that index if nobody needs it.',
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
  if (indices.length === 1 && (await isOwnAndEmpty(elasticsearch, only, maker))) return only
  throw new ConfigError(
    `the alias ${plan.index} exists and points to ${indices.join(', ')}, which this sluice did not make`,
    {
      where,
      remedy: 'Choose another name, or delete what it points to if nobody needs it.',
    },
  )
}

async function isOwnAndEmpty(elasticsearch: Elasticsearch, index: string, maker: Maker): Promise<boolean> {
  const { _meta: meta } = await elasticsearch.getMappings(index)
  if (!isRecord(meta) || !sameJson(meta.sluice, maker)) return false
  await elasticsearch.refresh(index)
  return (await elasticsearch.count(index)) === 0
}

async function lostIndex(
  elasticsearch: Elasticsearch,
  plan: DocumentPlan,
  inventory: Inventory,
  maker: Maker,
  live: InstalledIndex,
): Promise<IndexChanges> {
  const others = { ...inventory, indices: inventory.indices.filter(({ name }) => name !== live.name) }
  const changes = await newIndex(elasticsearch, plan, others, maker)
  const lost = {
    action: 'remove',
    document: plan.document,
    what: `index ${live.name}, which is gone, from the list`,
  } as const
  return { ...changes, lost: live.name, steps: [lost, ...changes.steps] }
}

async function sameIndex(
  elasticsearch: Elasticsearch | null,
  plan: DocumentPlan,
  previous: DocumentPlan,
  live: InstalledIndex,
): Promise<IndexChanges> {
  if (!sameJson(previous.settings, plan.settings)) {
    throw takesAnother(plan, 'settings: an index keeps the settings it was created with')
  }
  const change = compareMappings(previous.mappings, plan.mappings)
  if (change.kind === 'incompatible') throw takesAnother(plan, `mappings: ${change.problem}`)
  if (change.kind === 'same') return none
  const conflict = elasticsearch && typeConflict(await elasticsearch.getMappings(live.name), plan.mappings)
  if (conflict !== null) throw takesAnother(plan, `mappings: ${conflict}`)
  const what = `mappings of ${live.name}: ${change.fields.join(', ')}`
  return { ...none, extend: live.name, steps: [{ action: 'change', document: plan.document, what }] }
}

/** What a living index cannot do. */
export function takesAnother(plan: DocumentPlan, why: string): ConfigError {
  return new ConfigError(`${why}, so the document needs a new index`, {
    where: `documents.${plan.document}`,
    remedy: `sluice uninstall ${plan.document}, then sluice install. Searches find nothing in between, until the backfill has run.`,
  })
}

function lostAlias(plan: DocumentPlan, live: InstalledIndex): string {
  const body = JSON.stringify({ actions: [{ add: { index: live.name, alias: plan.index } }] })
  return `The alias ${plan.index} no longer points to ${live.name}, so searches do not see it. Put it back: POST /_aliases ${body}`
}
