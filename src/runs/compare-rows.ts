import { decodeKey } from '../documents/keys.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { readOnly } from '../postgres/read-transaction.ts'
import type { SharedSnapshot } from '../postgres/types.ts'
import { ahead } from './ahead.ts'
import { lookAt } from './compare-look.ts'
import { type ComparedTargets, type Place, placeAddress, placesOf } from './compare-places.ts'
import type { Suspects, SuspectsOptions } from './compare-suspects.ts'
import type { RunWork } from './context.ts'
import { seeOperatorsSql, viewSource, type WalkSource } from './walk-source.ts'

/** Keys a page: 10 ms of the view's index, 60 ms of `_mget`. */
const PAGE_KEYS = 10_000

const PAGE_TIMEOUT_MS = 120_000

/** From the rows to the documents: what is missing, and with `deep` what is stale. */
export interface RowsComparison {
  readonly targets: ComparedTargets
  /** Whether the targets were named, and rows of others are none of its business. */
  readonly named: boolean
  readonly options: SuspectsOptions
  readonly suspects: Suspects
  /** Told of rows that were looked at. */
  readonly looked: (rows: number) => Promise<void>
}

/** Looks at all rows, in the order of their key; returns how many should have a document. */
export async function compareRows(work: RunWork, comparison: RowsComparison): Promise<number> {
  let rows = 0
  for await (const keys of ahead(keyPages(work))) rows += await compareKeys(work, comparison, keys)
  return rows
}

/** Looks at some rows; returns how many of them should have a document in the indices that are compared. */
export async function compareKeys(
  work: RunWork,
  { targets, named, options, suspects, looked }: RowsComparison,
  keys: readonly string[],
): Promise<number> {
  work.signal.throwIfAborted()
  let rows = 0
  const places: Place[] = []
  for (const key of keys) {
    const some = placesOf(work.plan, targets, named, key)
    if (some.length > 0) rows += 1
    places.push(...some)
  }
  if (options.deep) {
    for await (const observed of lookAt(work, places, options))
      await suspects.add(observed.map(({ place }) => place))
  } else {
    const there = await work.elasticsearch.existing(places.map(placeAddress))
    await suspects.add(places.filter((_, n) => there[n] !== true))
  }
  await looked(keys.length)
  return rows
}

/**
 * The keys of all rows that have a document, page by page, each a short transaction of its own: rows written meanwhile
 * have marks, so no common snapshot is needed, and none holds back vacuum. With one, what is counted can be added up (see
 * compare-census.ts).
 */
export async function* keyPages(
  { pool, schema, plan }: RunWork,
  snapshot?: SharedSnapshot,
): AsyncGenerator<readonly string[], void, void> {
  const source = viewSource(plan, schema)
  const seeing = seeOperatorsSql(plan.key)
  let after: readonly (string | null)[] | null = null
  for (;;) {
    const values: readonly unknown[] = [PAGE_KEYS, ...(after ?? [])]
    const text: string = pageSql(source, after !== null)
    const client = await pool.connect()
    let keys: readonly string[]
    let clean = false
    try {
      const read = async () => {
        if (seeing !== null) await client.query(seeing)
        return client.query<[string]>({ text, values: [...values], rowMode: 'array' })
      }
      const { result } = await readOnly(
        client,
        { timeoutMs: PAGE_TIMEOUT_MS, ridesIndexes: true, snapshot },
        read,
      )
      keys = result.rows.map(([key]) => key)
      clean = true
    } finally {
      client.release(!clean)
    }
    const last = keys.at(-1)
    if (last === undefined) return
    yield keys
    if (keys.length < PAGE_KEYS) return
    after = walkParts(plan, last)
  }
}

function pageSql({ from, parts, key }: WalkSource, resumed: boolean): string {
  const order = parts.map(({ column }) => column).join(', ')
  const after = parts.map(({ type }, n) => `$${n + 2}::text::${type}`).join(', ')
  return `SELECT ${key} FROM ${from} ${resumed ? `WHERE (${order}) > (${after})` : ''} ORDER BY ${order} LIMIT $1`
}

/** The parts of a key by which the source is sorted. */
function walkParts({ walkOrder, idParts, key }: DocumentPlan, last: string): readonly (string | null)[] {
  const parts = decodeKey(last, key.length) ?? []
  return walkOrder.filter((position) => position < idParts).map((position) => parts[position] ?? null)
}
