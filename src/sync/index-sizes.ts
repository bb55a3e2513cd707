/** How long a count is good enough: a tenth of an index does not come or go unnoticed within a minute. */
const FRESH_MS = 60_000

interface Counted {
  readonly at: number
  readonly documents: Promise<number>
}

/**
 * Number of documents in an index, asked once a minute for all workers of a daemon. A failed count is not kept: it
 * fails the batch that asked, which is given back as after any request without an answer.
 */
export function indexSizes(
  count: (index: string) => Promise<number>,
  now: () => number,
): (index: string) => Promise<number> {
  const known = new Map<string, Counted>()
  return (index) => {
    const present = known.get(index)
    if (present !== undefined && now() - present.at < FRESH_MS) return present.documents
    const counted = { at: now(), documents: count(index) }
    known.set(index, counted)
    counted.documents.catch(() => {
      if (known.get(index) === counted) known.delete(index)
    })
    return counted.documents
  }
}
