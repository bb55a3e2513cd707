import { escapeIdentifier } from 'pg'
import type { Transform } from '../config/types.ts'
import { plural } from '../counts.ts'
import { FailedError } from '../errors.ts'
import type { Queryable } from '../postgres/types.ts'
import { SliceSizer } from '../sync/slice-sizer.ts'
import { assertContentComparable } from './compare-able.ts'
import { explained } from './compare-notes.ts'
import { comparedTargets, type Place } from './compare-places.ts'
import { CompareProgress } from './compare-progress.ts'
import { compareSample } from './compare-sample.ts'
import { type Confirmed, Suspects } from './compare-suspects.ts'
import { compareWhole } from './compare-whole.ts'
import type { Comparison, Difference, DifferenceCounts } from './comparison.ts'
import type { RunWork } from './context.ts'
import { estimateTotal } from './estimate.ts'
import type { Run } from './types.ts'
import { viewSource } from './walk-source.ts'

export interface CompareRequest {
  /** Contents, not only whether there is a document. Default: false. */
  readonly deep?: boolean
  /** So many rows and documents chosen at random, up to 10,000. Default: all. */
  readonly sample?: number | null
  /** Physical indices. Default: those that searches see. */
  readonly indices?: readonly string[] | null
  /** Told of all that differs, a round at a time, for whoever puts it right. */
  readonly found?: (differences: readonly Confirmed[]) => Promise<void>
  /** How long changes that are older than a look may take to be answered, in milliseconds. Default: five minutes. */
  readonly patienceMs?: number
}

/** What a comparison came to, and the places that differ; null: they are too many to keep. */
export interface Compared {
  readonly comparison: Comparison
  readonly places: readonly Place[] | null
}

/**
 * Compares the rows of a document with its documents, on a system that goes on working, and reports what differs for
 * certain: missing, stale (`deep`), extra.
 *
 * By ids: the view's keys in order, 10,000 at a time, are counted in the index, which also tells whether there is anything else
 * (compare-census.ts). Where that cannot be told, and for contents (`deep`), in both directions at once, page by page. Rows →
 * documents: `_mget` whether each is there (`deep`: its text, beside the row's document). Documents → rows: a scroll over the
 * index, and for each page one statement that looks the keys up in the view. Whatever seems to differ is a suspect, and looked
 * at again (see Suspects): only that second look says what differs, so the first one may be as inexact as it is fast.
 *
 * Why not one big join over a temporary table: it would live in one transaction from the first page to the last (behind
 * PgBouncer a temporary table lives no longer), and lock the application's tables for the minutes that 10 million documents
 * take. Why not two sorted streams: Elasticsearch does not sort by `_id`. Here every page is a short transaction, nothing is
 * left behind by a crash, and memory is that of two pages and of 10,000 suspects, whatever the size of the table.
 *
 * Nothing is written but the run's progress. Throws RunInterrupted by the signal, and FailedError where it cannot be
 * done (an index that is gone, contents that cannot be compared).
 */
export async function compare(work: RunWork, run: Run, request: CompareRequest = {}): Promise<Comparison> {
  return (await compareAll(work, run, request)).comparison
}

export async function compareAll(work: RunWork, run: Run, request: CompareRequest): Promise<Compared> {
  const { deep = false, sample = null, indices = null } = request
  const { pool, schema, plan, elasticsearch } = work
  const targets = await comparedTargets(pool, schema, plan, indices)
  if (deep) await assertContentComparable(elasticsearch, plan, [...targets.values()].flat())
  // Either direction's failure ends the other before it is told: nothing goes on behind a run that has ended.
  const broken = new AbortController()
  const own = { ...work, signal: AbortSignal.any([work.signal, broken.signal]) }
  const found = new Found(request)
  const suspects = suspectsOf(own, run, request, found)
  const progress = new CompareProgress(work, run)
  const estimatedRows = sample ?? (await estimateTotal(pool, viewSource(plan, schema))).total
  // There should be as many of one as of the other.
  await progress.begin(2 * estimatedRows)
  const looked = (count: number) => progress.add(count)
  const both = { targets, named: indices !== null, options: suspects.options, suspects, looked }
  const { rows, documents } =
    sample === null
      ? await compareWhole(own, { ...both, estimatedRows, broken })
      : await compareSample(own, sample, both)
  await suspects.settle()
  await progress.end()
  const comparison = {
    deep,
    sample,
    rows,
    documents,
    ...found.counts,
    changing: suspects.changing,
    examples: await explained(pool, schema, plan.document, found.examples),
    warnings: [...warnings(suspects), ...(await coming(pool, schema, run))],
  }
  return { comparison, places: found.places }
}

/** Looks once more at places that differed; returns what does still. */
export async function compareAgain(
  work: RunWork,
  run: Run,
  request: CompareRequest,
  places: readonly Place[],
): Promise<Pick<Comparison, keyof DifferenceCounts | 'examples' | 'warnings'>> {
  const { pool, schema, plan } = work
  const found = new Found(request)
  const suspects = suspectsOf(work, run, request, found)
  await suspects.add(places)
  await suspects.settle()
  const examples = await explained(pool, schema, plan.document, found.examples)
  return { ...found.counts, examples, warnings: warnings(suspects) }
}

const PATIENCE_MS = 300_000

function suspectsOf(work: RunWork, run: Run, request: CompareRequest, found: Found): Suspects {
  return new Suspects(work, run, {
    deep: request.deep ?? false,
    transform: transformOf(work),
    sizer: new SliceSizer(),
    patienceMs: request.patienceMs ?? PATIENCE_MS,
    confirmed: (observations) => found.add(observations),
  })
}

function transformOf({ plan, definition }: RunWork): Transform | null {
  if (!plan.transform) return null
  if (definition?.transform !== undefined) return definition.transform
  throw new FailedError('its transform is not in this configuration', {
    where: plan.document,
    remedy: 'Run sluice install, or start a daemon with the configuration it was installed from.',
  })
}

/** Examples of each kind. */
const EXAMPLES = 5

/** Places kept for another look: 20 MB. */
const KEPT = 100_000

/** Counts what was found and keeps what can be kept. */
class Found {
  readonly #request: CompareRequest
  readonly #counts = { missing: 0, stale: 0, extra: 0 }
  readonly #examples: Difference[] = []
  #places: Place[] | null = []

  constructor(request: CompareRequest) {
    this.#request = request
  }

  async add(observations: readonly Confirmed[]): Promise<void> {
    for (const { kind, place, fields, note } of observations) {
      if (this.#counts[kind]++ < EXAMPLES) {
        const { index, alias, id, key } = place
        const more = { ...(kind === 'stale' ? { fields } : {}), ...(note === null ? {} : { note }) }
        this.#examples.push({ kind, index: index ?? alias, id, key, ...more })
      }
    }
    this.#places?.push(...observations.map(({ place }) => place))
    if (this.#places !== null && this.#places.length > KEPT) this.#places = null
    await this.#request.found?.(observations)
  }

  get counts(): DifferenceCounts {
    return { ...this.#counts }
  }

  get examples(): readonly Difference[] {
    return this.#examples
  }

  get places(): readonly Place[] | null {
    return this.#places
  }
}

/** A TRUNCATE, or a change that no trigger could tell, is answered by a verify that can only follow this run. */
async function coming(db: Queryable, schema: string, { id }: Run): Promise<readonly string[]> {
  const { rowCount } = await db.query(
    `SELECT FROM ${escapeIdentifier(schema)}.sync_run WHERE id = $1 AND verify_after IS NOT NULL`,
    [id],
  )
  return rowCount === 0
    ? []
    : [
        'a verify that puts everything right was asked for meanwhile and follows: what differs may be its to put right',
      ]
}

function warnings({ changing, impatient }: Suspects): readonly string[] {
  return [
    ...(impatient
      ? [
          'changes older than the comparison were not answered in time: some of what differs may be on its way',
        ]
      : []),
    ...(changing > 0
      ? [
          `${plural(changing, 'document was', 'documents were')} written again between any two looks, and could not be compared`,
        ]
      : []),
  ]
}
