import { plural } from '../counts.ts'
import { FailedError } from '../errors.ts'
import { readTargets } from '../queue/read-targets.ts'
import { advance } from './advance.ts'
import type { RunWork } from './context.ts'
import { readReadiness } from './reindex-readiness.ts'
import { notCurrent } from './reindex-swap.ts'
import type { ReindexState, Replacement, Run } from './types.ts'

/**
 * The way back: the aliases of all kept indices are swapped with their living ones, which are kept from then on. A kept index
 * has been written to all along, so it is as current as any, unless something failed there or waits for it: then this
 * throws a FailedError, and nothing is changed. A tenant who came after the reindex has no kept index, and stays.
 */
export async function beginRollback(work: RunWork, run: Run): Promise<Run> {
  const { pool, schema, plan } = work
  const indices = await keptIndices(work)
  const { parked, refused } = await readReadiness(pool, schema, plan.document, indices)
  if (parked > 0)
    throw notCurrent(
      plan.document,
      `${plural(parked, 'key waits', 'keys wait')} for it, because it takes no writes`,
    )
  if (refused > 0) throw notCurrent(plan.document, `${plural(refused, 'key', 'keys')} failed there`)
  const reindex: ReindexState = { indices, hash: '' }
  const to = { step: 'swap', after: null, counted: 'exact', warning: null, reindex } as const
  return advance(pool, schema, run, { to, total: 0 })
}

/** Kept indices beside the living ones of the same aliases. Throws a FailedError where there is none. */
export async function keptIndices({
  pool,
  schema,
  plan,
}: Pick<RunWork, 'pool' | 'schema' | 'plan'>): Promise<readonly Replacement[]> {
  const targets = await readTargets(pool, schema, plan.document)
  const indices = targets
    .filter(({ role }) => role === 'kept')
    .map(({ alias, index: name }): Replacement => {
      const live = targets.find((target) => target.alias === alias && target.role === 'live')
      return { alias, name, from: live?.index ?? null }
    })
  if (indices.length > 0) return indices
  throw new FailedError('no index is kept that it could go back to', {
    where: plan.document,
    remedy: 'One is kept after a reindex, a day or as long as --keep says; sluice status shows it.',
  })
}
