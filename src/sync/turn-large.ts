import { decodeKey } from '../documents/keys.ts'
import type { DocumentPlan, ExpansionPlan } from '../documents/types.ts'
import { sqlState } from '../postgres/connect.ts'
import { isCancelled, isDataError } from '../postgres/read-transaction.ts'
import type { Claim, Mark } from '../queue/types.ts'
import type { ClaimSession, RootsToMark } from './batch-store.ts'
import type { Expansion } from './expand.ts'
import { olderOrigin } from './fold-marks.ts'
import type { BatchResult } from './types.ts'

interface Large {
  readonly plan: DocumentPlan
  readonly claim: Claim
  readonly expansion: Pick<Expansion, 'large' | 'roots'>
  readonly timeoutMs: number
}

/**
 * Marks that lead to too many documents become array marks in the bulk lane, which any daemon works off; the rest of the
 * claim is given back. Progress is certain, for these marks are gone. Where Postgres cannot list their documents (it takes
 * longer than REQUEST_TIMEOUT, or a row of them cannot be read), a verify looks at all there are, page by page.
 */
export async function turnLarge(
  claims: ClaimSession,
  { plan, claim, expansion, timeoutMs }: Large,
): Promise<Extract<BatchResult, { outcome: 'expanded' }>> {
  const { document, lane } = claim
  try {
    const turned = await claims.markRoots({ document, lane, large: groups(plan, expansion), timeoutMs })
    return { outcome: 'expanded', turned, verify: null }
  } catch (error) {
    if (!isCancelled(error) && !isDataError(error)) throw error
    const sources = [...new Set(expansion.large.map(({ source }) => source))].join(', ')
    // Not the message: it may quote a value.
    const why = isCancelled(error) ? 'it takes longer than REQUEST_TIMEOUT' : `SQLSTATE ${sqlState(error)}`
    const reason = `the documents of ${sources} cannot be listed: ${why}`
    const ids = expansion.large.map(({ id }) => id)
    const origin = expansion.large.map((mark) => mark.origin).reduce(olderOrigin)
    const turned = await claims.verifyInstead({ document, lane, ids, reason, origin })
    return { outcome: 'expanded', turned, verify: reason }
  }
}

/** Marks that become the same marks: of one source, for one target, of one run. */
function groups(
  { sources }: DocumentPlan,
  { large, roots }: Pick<Expansion, 'large' | 'roots'>,
): RootsToMark['large'] {
  const byKind = Map.groupBy(large, ({ source, target, runId }) => JSON.stringify([source, target, runId]))
  return [...byKind.values()].flatMap((marks) => {
    const expansion = sources.find(({ source }) => source === marks[0]?.source)?.expansion
    return expansion == null ? [] : [{ marks, expansion, links: values(marks, expansion, roots) }]
  })
}

/** Link values of the marks that lead anywhere; among the others are texts that cannot be cast. */
function values(
  marks: readonly Mark[],
  { links }: ExpansionPlan,
  roots: Expansion['roots'],
): readonly (readonly (string | null)[])[] {
  const distinct = new Set<string>()
  for (const { source, keys } of marks) {
    const found = roots.get(source)
    for (const link of keys ?? []) {
      const leads = found?.get(link) ?? 'many'
      if (leads === 'many' || leads.length > 0) distinct.add(link)
    }
  }
  return [...distinct].flatMap((link) => {
    const parts = decodeKey(link, links.length)
    return parts === null ? [] : [parts]
  })
}
