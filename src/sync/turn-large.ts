import type pg from 'pg'
import { rootsSql } from '../documents/expansion-sql.ts'
import { decodeKey } from '../documents/keys.ts'
import type { DocumentPlan, ExpansionPlan } from '../documents/types.ts'
import { sqlState } from '../postgres/connect.ts'
import { isCancelled, isDataError } from '../postgres/read-transaction.ts'
import { commit } from '../postgres/transaction.ts'
import { type LargeMarks, markRoots } from '../queue/mark-roots.ts'
import { requestRewrite } from '../queue/request-rewrite.ts'
import { takeMarks } from '../queue/take-marks.ts'
import type { Claim, Mark } from '../queue/types.ts'
import type { Expansion } from './expand.ts'
import { olderOrigin } from './fold-marks.ts'
import type { BatchResult } from './types.ts'

interface Large {
  readonly schema: string
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
  claims: pg.PoolClient,
  large: Large,
): Promise<Extract<BatchResult, { outcome: 'expanded' }>> {
  const { schema, plan, claim, expansion, timeoutMs } = large
  const { document, lane } = claim
  const marks = groups(plan, schema, expansion)
  try {
    const turned = await markRoots(claims, schema, { document, lane, large: marks, timeoutMs })
    return { outcome: 'expanded', turned, verify: null }
  } catch (error) {
    if (!isCancelled(error) && !isDataError(error)) throw error
    const sources = [...new Set(expansion.large.map(({ source }) => source))].join(', ')
    // Not the message: it may quote a value.
    const why = isCancelled(error) ? 'it takes longer than REQUEST_TIMEOUT' : `SQLSTATE ${sqlState(error)}`
    const reason = `the documents of ${sources} cannot be listed: ${why}`
    return { outcome: 'expanded', turned: await verifyInstead(claims, large, reason), verify: reason }
  }
}

async function verifyInstead(
  claims: pg.PoolClient,
  { schema, claim, expansion: { large } }: Large,
  reason: string,
): Promise<number> {
  await claims.query('BEGIN')
  const taken = await takeMarks(claims, schema, { ...claim, ids: large.map(({ id }) => id) })
  if (taken > 0) {
    const origin = large.map((mark) => mark.origin).reduce(olderOrigin)
    await requestRewrite(claims, schema, {
      document: claim.document,
      reason,
      origin,
    })
  }
  await commit(claims)
  return taken
}

/** Marks that become the same marks: of one source, for one target, of one run. */
function groups(
  { sources }: DocumentPlan,
  schema: string,
  { large, roots }: Pick<Expansion, 'large' | 'roots'>,
): readonly LargeMarks[] {
  const byKind = Map.groupBy(large, ({ source, target, runId }) => JSON.stringify([source, target, runId]))
  return [...byKind.values()].flatMap((marks) => {
    const expansion = sources.find(({ source }) => source === marks[0]?.source)?.expansion
    return expansion == null
      ? []
      : [{ marks, roots: rootsSql(schema, expansion, values(marks, expansion, roots)) }]
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
