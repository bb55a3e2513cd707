import { escapeIdentifier } from 'pg'
import {
  indexHash,
  newIndexName,
  readMakers,
  registerIndex,
  signedMappings,
} from '../capture/document-index.ts'
import { unknownAliases, unknownIndexOf } from '../capture/unknown-index.ts'
import { isTenantPattern } from '../config/tenant-index.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { flatSettings } from '../elasticsearch/indices.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import { ConfigError, FailedError } from '../errors.ts'
import { READ_SETTINGS } from '../postgres/read-settings.ts'
import { inTransaction } from '../postgres/transaction.ts'
import type { Queryable } from '../postgres/types.ts'
import { type KnownIndex, readKnownIndices } from '../queue/known-indices.ts'
import { readTargets } from '../queue/read-targets.ts'
import { advance } from './advance.ts'
import type { RunWork } from './context.ts'
import { estimateTotal } from './estimate.ts'
import { readRun } from './read-runs.ts'
import type { ReindexState, Replacement, Run } from './types.ts'
import { viewSource } from './walk-source.ts'

/**
 * While it is filled the new index has no copies, and is refreshed every second although nobody searches it. Left without
 * refresh, as advice for loading has it, Elasticsearch keeps what comes until its memory for that is full (a tenth of the heap),
 * and then the thread of whatever request is there writes it to disk: bulk requests stood for 2.8 s, single edits for 2 s, and
 * the first refresh of all took 2.5 s in the end. A second's worth is written in less than one, beside the requests.
 *
 * The translog stays as it is: written to disk later than it is answered, it could lose what was acknowledged (invariant 8),
 * and content is not looked at again before the swap.
 */
const LOADING = {
  'index.number_of_replicas': 0,
  'index.auto_expand_replicas': 'false',
  'index.refresh_interval': '1s',
}

/** What a plan says of these settings; null: nothing, and the server's default comes back. */
export function restoredSettings({ settings }: Pick<DocumentPlan, 'settings'>): Record<string, unknown> {
  const wanted = flatSettings(settings)
  return Object.fromEntries(Object.keys(LOADING).map((name) => [name, wanted[name] ?? null]))
}

/** How long the primary shards of a new index may take. They take well under a second where there is a place for them. */
const SHARDS_TIMEOUT_MS = 10_000

const SHARDS_LOOK_MS = 1_000

/** Looks whether it can be done at all, and writes down the names of the indices to be made: nothing is made yet. */
export async function beginReindex(work: RunWork, run: Run): Promise<Run> {
  const { pool, schema, plan } = work
  const places = asked(await findPlaces(work, run.options.adopt === true), run)
  const indices = places.map((place): Replacement => ({ ...place, name: newIndexName(place.alias) }))
  const source = viewSource(plan, schema)
  return inTransaction(
    pool,
    async (client) => {
      const { total, counted } = await estimateTotal(client, source)
      const reindex: ReindexState = { indices, hash: indexHash(plan) }
      const to = { step: 'create', after: null, counted, warning: null, reindex } as const
      return advance(client, schema, run, { to, total })
    },
    // On disk before an index is made: names that a crash undoes leave indices that nobody knows.
    { settings: { ...READ_SETTINGS, synchronous_commit: 'on' } },
  )
}

/** The place of the alias that was asked for; without one, all. */
function asked<Place extends { readonly alias: string }>(
  places: readonly Place[],
  run: Run,
): readonly Place[] {
  const { alias } = run.options
  if (alias === undefined) return places
  const wanted = places.filter((place) => place.alias === alias)
  if (wanted.length > 0) return wanted
  throw new FailedError(`it has no index behind the alias ${alias}`, { where: run.document })
}

/**
 * The aliases of a document, and what they point to. Throws a FailedError or ConfigError, with nothing changed, for what a
 * swap could not or must not take the place of: an alias that points to several indices or to someone else's, or an index
 * that has the alias' name, unless it is to be adopted.
 */
export async function findPlaces(
  { pool, schema, plan, elasticsearch }: Pick<RunWork, 'pool' | 'schema' | 'plan' | 'elasticsearch'>,
  adopt: boolean,
): Promise<readonly Omit<Replacement, 'name'>[]> {
  const { document, index } = plan
  const targets = await readTargets(pool, schema, document)
  const live = targets.filter(({ role }) => role === 'live')
  const known = await readKnownIndices(pool, schema, document)
  const makers = await readMakers(pool, schema, document)
  const aliases = isTenantPattern(index)
    ? [...live, ...(await forgottenTenants(elasticsearch, index, known, live))]
    : live.length === 0
      ? [{ alias: index, index: null }]
      : live
  const places: Omit<Replacement, 'name'>[] = []
  for (const { alias, index: from } of aliases) {
    // What a restored database does not know, and a daemon has not taken in, is replaced as if it were the living one.
    const unknown = await unknownIndexOf(elasticsearch, alias, known, makers)
    if (unknown !== null) places.push({ alias, from: unknown })
    else if (from !== null) places.push(await livingPlace(elasticsearch, document, { alias, from }))
    else if (!isTenantPattern(index)) places.push(await adoptedPlace(elasticsearch, plan, adopt))
  }
  if (places.length === 0) throw new FailedError('no tenant has an index yet', { where: document })
  return places
}

/**
 * Tenants whose alias is there, and who have no index as far as this database knows: it was set back to before they came. Of
 * these aliases only those are of interest that lead to an index of ours.
 */
async function forgottenTenants(
  elasticsearch: Pick<RunWork['elasticsearch'], 'indexAliases'>,
  pattern: string,
  known: readonly KnownIndex[],
  live: readonly { readonly alias: string }[],
): Promise<readonly { readonly alias: string; readonly index: null }[]> {
  const aliases = await elasticsearch.indexAliases(templatePattern(pattern))
  const unknown = new Set(unknownAliases(pattern, aliases, known).map(({ alias }) => alias))
  for (const { alias } of live) unknown.delete(alias)
  return [...unknown].sort().map((alias) => ({ alias, index: null }))
}

async function livingPlace(
  elasticsearch: RunWork['elasticsearch'],
  document: string,
  { alias, from }: { readonly alias: string; readonly from: string },
): Promise<Omit<Replacement, 'name'>> {
  const { indices, concrete } = await elasticsearch.aliasTargets(alias)
  const others = indices.filter((name) => name !== from)
  if (concrete || others.length > 0) throw notOurs(document, alias, { others, concrete })
  if ((await elasticsearch.indexUuid(from)) === null) {
    throw new FailedError(`its index ${from} is gone`, {
      where: document,
      remedy: 'sluice install makes a new one and requests a backfill.',
    })
  }
  return { alias, from }
}

/** A document without an index: the one that has the name of its alias is taken over, or there is none. */
async function adoptedPlace(
  elasticsearch: RunWork['elasticsearch'],
  { document, index }: DocumentPlan,
  adopt: boolean,
): Promise<Omit<Replacement, 'name'>> {
  const { indices, concrete } = await elasticsearch.aliasTargets(index)
  if (indices.length > 0) throw notOurs(document, index, { others: indices, concrete })
  if (!concrete) return { alias: index, from: null }
  if (!adopt) {
    throw new FailedError(`${index} is an index already, and sluice needs the name for its alias`, {
      where: document,
      remedy: `sluice reindex ${document} --adopt builds a new index, which takes the place of this one in one request (a search under way at that moment may be answered 503).`,
    })
  }
  return { alias: index, from: index, adopted: await elasticsearch.countWrites(index) }
}

interface Foreign {
  readonly others: readonly string[]
  readonly concrete: boolean
}

export function notOurs(document: string, alias: string, { others, concrete }: Foreign): FailedError {
  if (concrete) {
    return new FailedError(`${alias} is an index, and not the alias that sluice made`, {
      where: document,
      remedy: 'Look at who made it; sluice install says what is missing once it is gone.',
    })
  }
  return new FailedError(
    `the alias ${alias} points to ${others.join(', ')} as well, which sluice does not write to`,
    {
      where: document,
      remedy: `Take it off there: POST /_aliases ${JSON.stringify({ actions: others.map((index) => ({ remove: { index, alias } })) })}`,
    },
  )
}

/**
 * Makes the indices that are not there yet, waits for their shards, and registers them: from then on batches write to them.
 * Those that are searched before they are full (`then: 'swap'`) have from the beginning the settings that they are to have.
 */
export async function createIndices(work: RunWork, run: Run, then: 'walk' | 'swap'): Promise<Run> {
  const { pool, schema, plan, elasticsearch } = work
  const { cursor } = run
  const state = cursor?.reindex
  if (cursor === null || state === undefined) throw new Error(`run ${run.id} has no names of indices`)
  if (indexHash(plan) !== state.hash) throw installedAnew(plan.document)
  const [maker] = await readMakers(pool, schema, plan.document)
  const settings = { ...flatSettings(plan.settings), ...(then === 'walk' ? LOADING : {}) }
  const made: { readonly alias: string; readonly name: string; readonly uuid: string }[] = []
  for (const { alias, name } of state.indices) {
    work.signal.throwIfAborted()
    const mappings = signedMappings(plan, maker)
    const uuid = await createOnce(
      elasticsearch,
      { name, mappings, settings, unattended: true },
      plan.document,
    )
    if (!(await shardsCame(work, name, 'primaries', SHARDS_TIMEOUT_MS))) {
      throw new FailedError(`the cluster has found no place for the new index ${name}`, {
        where: plan.document,
        remedy: `GET /_cluster/allocation/explain says why: disks above the watermark, or rules that no node meets. It was given up, and the living index goes on.`,
      })
    }
    made.push({ alias, name, uuid })
  }
  const registered = inTransaction(
    pool,
    async (client) => {
      if ((await lockedHash(client, schema, plan.document)) !== state.hash) throw installedAnew(plan.document)
      for (const { alias, name, uuid } of made) {
        await registerIndex(client, schema, plan, alias, { name, uuid }, 'building')
      }
      return advance(client, schema, run, { to: { ...cursor, step: then } })
    },
    // On disk before a batch writes there: undone by a crash and done again, it would come after what was written, and a
    // row that was deleted in between would keep its document (npm run model -- --variant registration-not-flushed).
    { settings: { synchronous_commit: 'on' } },
  )
  return registered.catch(async (error: unknown) => {
    // Uninstalled meanwhile: nobody is left who knows of them.
    if ((await readRun(pool, schema, run.id)) === null) {
      for (const { name } of made) await elasticsearch.deleteIndex(name)
    }
    throw error
  })
}

/** In short looks, for REQUEST_TIMEOUT may be short, too. */
export async function shardsCame(
  { elasticsearch, signal }: Pick<RunWork, 'elasticsearch' | 'signal'>,
  index: string,
  shards: 'primaries' | 'all',
  timeoutMs: number,
): Promise<boolean> {
  const until = performance.now() + timeoutMs
  do {
    signal.throwIfAborted()
    if (await elasticsearch.awaitShards(index, { shards, timeoutMs: SHARDS_LOOK_MS })) return true
  } while (performance.now() < until)
  return false
}

/** A creation whose answer did not come is found by its name, which is this run's alone. */
async function createOnce(
  elasticsearch: RunWork['elasticsearch'],
  index: Parameters<RunWork['elasticsearch']['createIndex']>[0],
  document: string,
): Promise<string> {
  const there = await elasticsearch.indexUuid(index.name)
  if (there !== null) return there
  try {
    return (await elasticsearch.createIndex(index)).uuid
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    // It may have been made in between, by an attempt of ours that was answered late.
    const late = await elasticsearch.indexUuid(index.name)
    if (late !== null) return late
    throw new FailedError(`the new index was refused: ${error.message}`, {
      where: document,
      remedy: 'Nothing was changed. When the cause is gone, start the reindex again.',
      cause: error,
    })
  }
}

/** Until the commit no install changes the mappings: an index of the old ones, registered after it, would lack fields. */
async function lockedHash(db: Queryable, schema: string, document: string): Promise<string | null> {
  const { rows } = await db.query<{ plan: DocumentPlan }>(
    `SELECT plan FROM ${escapeIdentifier(schema)}.sync_document WHERE name = $1 FOR SHARE`,
    [document],
  )
  return rows[0] === undefined ? null : indexHash(rows[0].plan)
}

function installedAnew(document: string): FailedError {
  return new FailedError('it was installed anew while its new index was being made', {
    where: document,
    remedy: 'Start the reindex again.',
  })
}
