import type { Listed } from '../documents/key-address.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { PointInTime } from '../elasticsearch/point-in-time.ts'
import { withSharedSnapshot } from '../postgres/shared-snapshot.ts'
import type { SharedSnapshot } from '../postgres/types.ts'
import type { Target } from '../queue/types.ts'
import { ahead } from './ahead.ts'
import { type Place, placeAddress, placesOf } from './compare-places.ts'
import { keyPages } from './compare-rows.ts'
import type { RunWork } from './context.ts'
import { findOrphans } from './orphans.ts'

/**
 * Rows up to which a census is taken, by Postgres' estimate: its snapshot is held for all of it, which at 150,000 rows a
 * second are two minutes.
 */
const MOST_ROWS = 20_000_000

/** Keys without a document that are kept until the snapshot is released. An index that lacks more is no case for counting. */
const MOST_MISSING = 10_000

/** How many of the documents written last are asked for their row. A thousand are enough where only single edits come. */
const NEWEST = [1_000, 10_000]

/** What counting came to. */
export interface Census {
  /** Rows that should have a document. */
  readonly rows: number
  /** Documents in the index. */
  readonly documents: number
  /** Places of keys that have none, as it seems. */
  readonly missing: readonly Place[]
  /** Documents without a row, as it seems; null: there may be some, and only a listing finds them. */
  readonly extra: readonly Listed[] | null
}

export interface CensusOptions {
  /** Whether keys without a document are looked up; where contents are compared, that finds them. */
  readonly seeksMissing: boolean
  /** Told of rows (where missing ones are sought) and documents that were looked at. */
  readonly looked: (count: number) => Promise<void>
}

/** Whether an id alone says where a document is, so that ids can be counted; and whether a snapshot can be held for so long. */
export function isCountable({ address }: DocumentPlan, estimatedRows: number): boolean {
  return address.tenant === null && address.routing === null && estimatedRows <= MOST_ROWS
}

/**
 * Whether an index has a document for each row and no others, without listing it: by counting, which costs a fifth. What seems
 * to differ is no more than that. Null where it cannot be said so: the server has no points in time, somebody wrote by a routing,
 * or too much is missing.
 *
 * Both sides are looked at as of one moment: the rows by a snapshot K, the index by a point in time S that is a little later.
 * Page by page of K's keys, Elasticsearch says how many documents of S have one of these ids; `found` is the sum. No document
 * of S has a routing of its own, so that an id is in S once; and no two pages have a key in common. So
 * - a page with as many found as it has keys lacks none, and of any other page each key is looked up: what is missing;
 * - exactly `found` documents of S are of a row in K.
 *
 * Is `found` all that S has, there is nothing extra. On a system that is written to there is more: S is later, and has
 * documents of rows that came after K. They are among those written last. So of these the ones without a row in K are
 * counted. Are they as many as S has more than `found`, every document of S is of a row in K or one of them, and those are
 * to be looked at as a listing's are. Are they fewer, something else is there, or more was written than was asked for:
 * nothing is proven, and only a listing tells.
 *
 * That both sides have equally many would prove nothing, for one missing and one extra are even: what counts is `found`, and
 * each of the three numbers is exact. A row that goes after K was taken counts as found, or seems to be missing until it is
 * looked at again.
 */
export async function takeCensus(
  work: RunWork,
  target: Target,
  options: CensusOptions,
): Promise<Census | null> {
  const { pool, elasticsearch } = work
  const { index } = target
  await elasticsearch.refresh(index)
  return withSharedSnapshot(pool, async (snapshot) => {
    // Once more, for what came during the first: the less S lacks of K, the fewer keys have to be looked up.
    await elasticsearch.refresh(index)
    const moment = await elasticsearch.pointInTime(index)
    if (moment === null) return null
    try {
      return await census({ work, target, options, snapshot, moment })
    } finally {
      await moment.close()
    }
  })
}

interface Taking {
  readonly work: RunWork
  readonly target: Target
  readonly options: CensusOptions
  readonly snapshot: SharedSnapshot
  readonly moment: PointInTime
}

async function census(taking: Taking): Promise<Census | null> {
  const { documents, routed } = await taking.moment.count()
  if (routed > 0) return null
  const counted = await countFound(taking)
  if (counted === null) return null
  const { rows, missing, found } = counted
  return { rows, documents, missing, extra: await lateOnes(taking, documents - found) }
}

async function countFound({ work, target, options, snapshot, moment }: Taking) {
  const { plan, elasticsearch, signal } = work
  const targets = new Map([[target.alias, [target]]])
  const missing: Place[] = []
  let rows = 0
  let found = 0
  for await (const keys of ahead(keyPages(work, snapshot))) {
    signal.throwIfAborted()
    const places = keys.flatMap((key) => placesOf(plan, targets, true, key))
    const here = await moment.countIds(places.map(({ id }) => id))
    await snapshot.touch()
    if (here !== places.length && options.seeksMissing) {
      const there = await elasticsearch.existing(places.map(placeAddress))
      missing.push(...places.filter((_, n) => there[n] !== true))
      if (missing.length > MOST_MISSING) return null
    }
    rows += keys.length
    found += here
    await options.looked(here + (options.seeksMissing ? keys.length : 0))
  }
  return { rows, found, missing }
}

/** Documents of the moment whose row came after the snapshot, if they are as many as they should be; otherwise null. */
async function lateOnes(
  { work: { pool, plan, schema }, target: { alias }, snapshot, moment }: Taking,
  many: number,
): Promise<readonly Listed[] | null> {
  if (many === 0) return []
  for (const size of NEWEST) {
    if (many < 0 || many > size) continue
    const newest = (await moment.newest(size)).map((document) => ({ ...document, alias }))
    const { rowless, foreign } = await findOrphans(pool, plan, schema, newest, snapshot)
    // A snapshot that is gone would look like ids that Postgres refuses.
    await snapshot.touch()
    const late = [...rowless.map(({ document }) => document), ...foreign]
    if (late.length === many) return late
  }
  return null
}
