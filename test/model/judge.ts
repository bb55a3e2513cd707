import { targetsAt } from './indices.ts'
import { describeDocument, documentOf, type State } from './state.ts'

/**
 * What may never be.
 * - `lost`: nothing is left to do or on its way, and an index does not hold what the rows are.
 * - `early`: no mark is left, so that is_synced() says yes, and an index does not hold what the rows are.
 * - `alias`: searches go to an index that is gone, or that batches do not write to.
 * - `stray`: a batch whose claim lives writes to an index that is gone.
 * - `stuck`: something is left to do, and cannot be done, whatever happens.
 */
export type Fault = 'lost' | 'early' | 'alias' | 'stray' | 'stuck'

export interface Verdict {
  readonly fault: Fault
  readonly text: string
}

/** What is wrong in this state, or null. */
export function judge(state: State): Verdict | null {
  if (state.stray)
    return { fault: 'stray', text: 'a batch whose claim lives has written to an index that is gone' }
  const targets = targetsAt(state.database.reindex)
  if (state.indices[state.alias] === null || !targets.some(({ index }) => index === state.alias)) {
    return { fault: 'alias', text: `the alias leads to index ${state.alias}, which is no target` }
  }
  if (state.database.marks.length > 0) return null
  const wanted = documentOf(state.database)
  for (const { index, role } of targets) {
    // From the walk's commit on there is a mark for all that was there.
    if (role === 'building' && state.database.reindex === 'walk') continue
    const content = state.indices[index]?.content
    if (content === wanted) continue
    const fault = isQuiet(state) ? 'lost' : 'early'
    const has = content === undefined ? 'is gone' : `has ${describeDocument(content)}`
    return {
      fault,
      text: `no mark is left, the rows say ${describeDocument(wanted)}, and index ${index} ${has}`,
    }
  }
  return null
}

/** Whether nothing is open, claimed or on its way. A reindex may be under way, and changes may come. */
function isQuiet({ database, open, workers, late }: State): boolean {
  const idle = workers.every(({ claim, operations }) => claim === 'none' && operations.length === 0)
  const closed = open.root === null && open.child === null
  return database.marks.length === 0 && idle && closed && late.length === 0
}

/** Whether nothing is left to do, a reindex that has begun included. */
export function isFinished(state: State): boolean {
  const { database, indices } = state
  const reindexed = indices.new === null || (database.reindex === 'retired' && indices.old === null)
  return isQuiet(state) && reindexed
}
