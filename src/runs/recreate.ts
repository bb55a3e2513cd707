import { escapeIdentifier } from 'pg'
import { advance } from './advance.ts'
import type { RunWork } from './context.ts'
import { isDrained, waitFor } from './pacing.ts'
import { beginReindex, createIndices } from './reindex-create.ts'
import { swapAliases } from './reindex-swap.ts'
import { stateOf, verifyNew } from './reindex-verify.ts'
import type { Run } from './types.ts'
import { walkRows } from './walk.ts'
import { viewSource } from './walk-source.ts'

/**
 * A reindex with `recreate`: the content of an index is thrown away at once, and made anew from the rows. For whoever
 * cannot wait, or has no room for two: what is in it is wrong enough that searches had better find nothing.
 *
 *     create → swap → walk → drain → verify → swapped
 *
 * The steps are those of a reindex (reindex.ts) in another order, so that the same holds of them: the new index has a name
 * that was never used, it is registered before the walk begins, and every batch that is claimed after that writes to it.
 * The one before is retired by the swap, and dropped when batches that may still write to it have ended. From then on there
 * is no way back: what ends the run later leaves the index as full as it is, and every change goes on being written to it.
 */
export async function recreate(work: RunWork, run: Run): Promise<string | null> {
  let position = run.cursor === null ? await beginReindex(work, run) : run
  while (position.cursor !== null && position.cursor.step !== 'swapped') position = await step(work, position)
  return position.cursor?.warning ?? null
}

async function step(work: RunWork, run: Run): Promise<Run> {
  const { pool, schema, plan } = work
  const { cursor, state } = stateOf(run)
  switch (cursor.step) {
    case 'create':
      return createIndices(work, run, 'swap')
    case 'swap':
      return swapAliases(work, run, 'walk')
    case 'walk': {
      // Of one tenant's index: what others have stays as it is.
      const [only, ...others] = state.indices
      const target = only === undefined || others.length > 0 ? null : only.name
      return walkRows(work, run, { source: viewSource(plan, schema), origin: null, target })
    }
    case 'drain':
      await waitFor(work, run, isDrained)
      return advance(pool, schema, run, { to: { ...cursor, step: 'verify' } })
    case 'verify': {
      const verified = await verifyNew(work, run, {
        step: 'swapped',
        remedy: `Searches go to it already: sluice verify ${plan.document} --repair puts it right.`,
      })
      // Verifying counts what it looks at, too; what is told in the end are the rows.
      await pool.query(
        `UPDATE ${escapeIdentifier(schema)}.sync_run SET processed = walked, total = walked WHERE id = $1`,
        [run.id],
      )
      return verified
    }
    default:
      throw new Error(`run ${run.id} recreates no index: it stands at ${cursor.step}`)
  }
}
