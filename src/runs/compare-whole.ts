import type { Target } from '../queue/types.ts'
import { type Census, isCountable, takeCensus } from './compare-census.ts'
import { compareDocuments, compareListed } from './compare-documents.ts'
import { compareRows, type RowsComparison } from './compare-rows.ts'
import type { RunWork } from './context.ts'

export interface WholeComparison extends RowsComparison {
  /** As Postgres thinks. */
  readonly estimatedRows: number
  /** Ends all that is under way, the work's signal with it. */
  readonly broken: AbortController
}

interface Looked {
  readonly rows: number
  readonly documents: number
}

/**
 * Looks at all rows and all documents. By counting where that can be done (see takeCensus), and then an index is listed only
 * where counting leaves something open; otherwise page by page in both directions at once.
 */
export async function compareWhole(work: RunWork, comparison: WholeComparison): Promise<Looked> {
  const countable = isCountable(work.plan, comparison.estimatedRows)
  if (countable && !comparison.options.deep) {
    const counted = await compareByCensus(work, comparison)
    if (counted !== null) return counted
  }
  const byCensus = async () =>
    countable && comparison.options.deep ? compareByCensus(work, comparison) : null
  const documents = async () => (await byCensus())?.documents ?? (await compareDocuments(work, comparison))
  const [rows, count] = await both(comparison.broken, compareRows(work, comparison), documents())
  return { rows, documents: count }
}

/** Null where some index could not be counted; nothing has become a suspect then. */
async function compareByCensus(work: RunWork, comparison: WholeComparison): Promise<Looked | null> {
  const { suspects, looked, options } = comparison
  const counted: { readonly target: Target; readonly census: Census }[] = []
  for (const target of [...comparison.targets.values()].flat()) {
    const census = await takeCensus(work, target, { seeksMissing: !options.deep, looked })
    if (census === null) return null
    counted.push({ target, census })
  }
  let documents = 0
  for (const { target, census } of counted) {
    const { missing, extra } = census
    await suspects.add(missing)
    if (extra === null) {
      const targets = new Map([[target.alias, [target]]])
      documents += await compareDocuments(work, { ...comparison, targets })
    } else {
      documents += census.documents
      await compareListed(work, comparison, target, extra)
    }
  }
  return { rows: Math.max(0, ...counted.map(({ census }) => census.rows)), documents }
}

/** Both, or the first failure, once neither goes on. */
async function both<A, B>(broken: AbortController, one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  let first: { readonly error: unknown } | undefined
  const note = (error: unknown) => {
    first ??= { error }
    broken.abort(error)
    throw error
  }
  const [a, b] = await Promise.allSettled([one.catch(note), other.catch(note)])
  if (first !== undefined) throw first.error
  if (a.status === 'rejected') throw a.reason
  if (b.status === 'rejected') throw b.reason
  return [a.value, b.value]
}
