import type { Lane } from '../../src/queue/types.ts'
import { remove } from './memory-changes.ts'
import type { MemoryPostgres, Session } from './memory-postgres.ts'
import type { MarkRow } from './memory-rows.ts'

/** Marks that nobody has claimed, and taking them: what a claim's DELETE with SKIP LOCKED does. */

/** How many keys a mark counts as. */
export const sizeOf = ({ keys }: Pick<MarkRow, 'keys'>) => Math.max(1, keys?.length ?? 1)

/** Marks that are parked for an index, oldest first. */
export const waitingFor = (postgres: MemoryPostgres, index: string): readonly MarkRow[] =>
  [...postgres.marks.values()]
    .filter((mark) => mark.lane === 2 && mark.target === index && postgres.isFree(mark))
    .sort((a, b) => a.id - b.id)

/** The oldest of a lane, up to so many keys, and one at least. */
export function takeUpTo(
  postgres: MemoryPostgres,
  {
    document,
    lane,
    front,
    maxKeys,
  }: {
    readonly document: string
    readonly lane: Lane
    readonly front: bigint
    readonly maxKeys: number
  },
): readonly MarkRow[] {
  const taken: MarkRow[] = []
  let keys = 0
  for (const mark of postgres.marksOf(document, lane)) {
    if (mark.id < front || !postgres.isFree(mark)) continue
    if (taken.length > 0 && keys + sizeOf(mark) > maxKeys) break
    taken.push(mark)
    keys += sizeOf(mark)
  }
  return taken
}

/** Those of these ids that are still there to be taken. */
export function freeOf(
  postgres: MemoryPostgres,
  document: string,
  lane: Lane,
  ids: readonly string[],
): readonly MarkRow[] {
  return postgres
    .marksOf(document, lane)
    .filter((mark) => ids.includes(String(mark.id)) && postgres.isFree(mark))
}

export function take(postgres: MemoryPostgres, session: Session, mark: MarkRow): void {
  session.transaction?.markLocks.add(mark.id)
  postgres.change(session, remove(postgres.marks, mark.id))
}
